//! Grafana dashboards.

use serde_json::Value;

use crate::error::{Outcome, failed};

/// A panel or a row, reduced to the fields that tests check.
#[derive(Clone, Debug)]
pub struct Panel {
    /// The id, unique in its dashboard.
    pub id: u64,
    /// The type, such as `timeseries`; `row` is a heading.
    pub kind: String,
    /// The title.
    pub title: String,
    /// The description, a sentence.
    pub description: String,
    /// The data sources of its queries.
    pub sources: Vec<String>,
    /// The targets of its links.
    pub links: Vec<String>,
}

/// The panels of a dashboard, from top to bottom.
///
/// # Errors
/// If the text is not a dashboard.
pub fn read_dashboard(text: &str) -> Outcome<Vec<Panel>> {
    let dashboard = parse(text)?;
    let panels =
        dashboard["panels"].as_array().ok_or_else(|| failed("a dashboard without panels"))?;
    Ok(panels.iter().map(panel).collect())
}

fn panel(panel: &Value) -> Panel {
    let text = |name: &str| panel[name].as_str().unwrap_or_default().to_owned();
    let all = |list: &Value, of: &dyn Fn(&Value) -> Option<String>| -> Vec<String> {
        list.as_array().into_iter().flatten().filter_map(of).collect()
    };
    Panel {
        id: panel["id"].as_u64().unwrap_or_default(),
        kind: text("type"),
        title: text("title"),
        description: text("description"),
        sources: all(&panel["targets"], &|target| {
            Some(target["datasource"]["uid"].as_str()?.to_owned())
        }),
        links: all(&panel["links"], &|link| Some(link["url"].as_str()?.to_owned())),
    }
}

/// The Prometheus queries of a dashboard, with their locations: in panels, annotations and
/// variables.
pub(super) fn expressions(text: &str) -> Outcome<Vec<(String, String)>> {
    requested(text, "prometheus", |value| value["expr"].as_str().or_else(|| variable(value)))
}

/// The InfluxDB queries of a dashboard, with their locations: in panels and variables.
pub(super) fn influx_queries(text: &str) -> Outcome<Vec<(String, String)>> {
    requested(text, "influxdb", |value| value["query"].as_str())
}

fn requested(
    text: &str,
    source: &str,
    question: impl Fn(&Value) -> Option<&str>,
) -> Outcome<Vec<(String, String)>> {
    let mut found = Vec::new();
    let of_source = |value: &Value| {
        let is_asked = value["datasource"]["type"] == source;
        question(value).filter(|_| is_asked).map(str::to_owned)
    };
    collect(&parse(text)?, "the dashboard", &of_source, &mut found);
    Ok(found)
}

fn parse(text: &str) -> Outcome<Value> {
    serde_json::from_str(text)
        .map_err(|error| failed(format!("a dashboard that is not JSON: {error}")))
}

fn collect(
    value: &Value,
    place: &str,
    question: &impl Fn(&Value) -> Option<String>,
    found: &mut Vec<(String, String)>,
) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, place, question, found)),
        Value::Object(fields) => {
            let place = value["title"].as_str().or(value["name"].as_str()).unwrap_or(place);
            found.extend(question(value).map(|text| (place.to_owned(), text)));
            fields.values().for_each(|field| collect(field, place, question, found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A variable with label values queries a metric too.
fn variable(value: &Value) -> Option<&str> {
    let (metric, _) =
        value["definition"].as_str()?.strip_prefix("label_values(")?.rsplit_once(',')?;
    Some(metric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prometheus_queries_come_from_panels_annotations_and_variables() {
        let found = expressions(
            r#"{"title": "d", "templating": {"list": [{"name": "q", "datasource": {"type": "prometheus"}, "definition": "label_values(a{x=\"1\"}, q)"}]},
                "panels": [{"title": "p", "id": 1, "targets": [{"datasource": {"type": "prometheus"}, "expr": "b"},
                {"datasource": {"type": "loki"}, "expr": "{c=\"1\"}"}]}]}"#,
        );
        let mut found = found.unwrap();
        found.sort();
        let pairs: Vec<(&str, &str)> =
            found.iter().map(|(place, text)| (&**place, &**text)).collect();
        assert_eq!(pairs, [("p", "b"), ("q", "a{x=\"1\"}")]);
    }

    #[test]
    fn influxdb_queries_come_from_panels_and_variables() {
        let found = influx_queries(
            r#"{"title": "d", "templating": {"list": [{"name": "q", "datasource": {"type": "influxdb"}, "query": "SHOW a"}]},
                "panels": [{"title": "p", "datasource": {"type": "influxdb"}, "targets": [
                {"datasource": {"type": "influxdb"}, "query": "SELECT b"}, {"datasource": {"type": "tempo"}, "query": "c"}]}]}"#,
        );
        let mut found = found.unwrap();
        found.sort();
        let pairs: Vec<(&str, &str)> =
            found.iter().map(|(place, text)| (&**place, &**text)).collect();
        assert_eq!(pairs, [("p", "SELECT b"), ("q", "SHOW a")]);
    }
}
