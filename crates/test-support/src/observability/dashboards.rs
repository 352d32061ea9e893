//! Dashboards of Grafana.

use serde_json::Value;

use crate::error::{Outcome, failed};

/// A panel or a row, as far as tests look at it.
#[derive(Clone, Debug)]
pub struct Panel {
    /// Unique in its dashboard.
    pub id: u64,
    /// What it draws, such as `timeseries`; `row` is a heading.
    pub kind: String,
    /// Its heading.
    pub title: String,
    /// What it says, in a sentence.
    pub description: String,
    /// The data sources of its questions.
    pub sources: Vec<String>,
    /// Where its links lead.
    pub links: Vec<String>,
}

/// The panels of a dashboard, from top to bottom.
///
/// # Errors
/// When it is no dashboard.
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

/// What a dashboard asks Prometheus, each with where it stands: in panels, annotations and variables.
pub(super) fn expressions(text: &str) -> Outcome<Vec<(String, String)>> {
    asked(text, "prometheus", |value| value["expr"].as_str().or_else(|| variable(value)))
}

/// What a dashboard asks InfluxDB, each with where it stands: in panels and variables.
pub(super) fn influx_queries(text: &str) -> Outcome<Vec<(String, String)>> {
    asked(text, "influxdb", |value| value["query"].as_str())
}

fn asked(
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
        .map_err(|error| failed(format!("a dashboard that is no JSON: {error}")))
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

/// A variable with the values of a label asks for a metric too.
fn variable(value: &Value) -> Option<&str> {
    let (metric, _) =
        value["definition"].as_str()?.strip_prefix("label_values(")?.rsplit_once(',')?;
    Some(metric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prometheus_is_asked_by_panels_annotations_and_variables_and_not_by_what_asks_another() {
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
    fn influxdb_is_asked_by_panels_and_variables_and_not_by_what_asks_another() {
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
