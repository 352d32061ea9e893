//! Finds the changes between two descriptions of the API that break a client of the older one.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::described;

/// Who sends the values of a schema. A client may send whatever the older schema allows, and reads
/// nothing but what the older one allows.
#[derive(Clone, Copy)]
enum Sender {
    Client,
    Service,
}

struct Comparison<'a> {
    old: &'a Value,
    new: &'a Value,
    found: Vec<String>,
}

/// The changes from `old` to `new` that break a client, each in one line.
pub(crate) fn breaking_changes(old: &Value, new: &Value) -> Vec<String> {
    let mut comparison = Comparison { old, new, found: Vec::new() };
    for (path, item) in fields(&old["paths"]) {
        for (method, operation) in fields(item) {
            let name = format!("{} {path}", method.to_uppercase());
            comparison.operation(&name, operation, &new["paths"][path][method]);
        }
    }
    comparison.found
}

/// Whether the version is one that may break clients: a higher major version, or before 1.0 a
/// higher minor one (Semantic Versioning 2.0.0, items 4 and 8).
pub(crate) fn may_break(old: &Value, new: &Value) -> bool {
    let version = |description: &Value| {
        let text = description["info"]["version"].as_str().unwrap_or_default().to_owned();
        let mut numbers = text.split('.').map(|number| number.parse::<u64>().unwrap_or(0));
        let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if major == 0 { (0, minor) } else { (major, 0) }
    };
    version(new) > version(old)
}

impl Comparison<'_> {
    fn report(&mut self, change: String) {
        self.found.push(change);
    }

    fn operation(&mut self, name: &str, old: &Value, new: &Value) {
        if new.is_null() {
            return self.report(format!("{name} is gone"));
        }
        if old["operationId"] != new["operationId"] {
            self.report(format!(
                "{name}: operationId was {}, is {}",
                old["operationId"], new["operationId"]
            ));
        }
        if new["requestBody"]["required"] == true && old["requestBody"]["required"] != true {
            self.report(format!("{name}: a body is required"));
        }
        if old["security"] != new["security"] {
            self.report(format!(
                "{name}: security was {}, is {}",
                old["security"], new["security"]
            ));
        }
        let parameters = |operation: &Value| -> Map<String, Value> {
            let listed = operation["parameters"].as_array().cloned().unwrap_or_default();
            let named = |it: &Value| format!("{} {}", it["in"], it["name"]).replace('"', "");
            listed.into_iter().map(|it| (named(&it), it)).collect()
        };
        let (before, after) = (parameters(old), parameters(new));
        for (parameter, old) in &before {
            let what = format!("{name}: {parameter}");
            let Some(new) = after.get(parameter) else {
                self.report(format!("{what} is gone"));
                continue;
            };
            if new["required"] == true && old["required"] != true {
                self.report(format!("{what} is required"));
            }
            if old["schema"]["default"] != new["schema"]["default"] {
                let [was, is] = [old, new].map(|it| &it["schema"]["default"]);
                self.report(format!("{what}: default was {was}, is {is}"));
            }
            self.schema(&what, Sender::Client, &old["schema"], &new["schema"]);
        }
        for (parameter, new) in &after {
            if new["required"] == true && !before.contains_key(parameter) {
                self.report(format!("{name}: {parameter} is new and required"));
            }
        }
        for (status, old) in fields(&old["responses"]) {
            let what = format!("{name}: {status}");
            let (old, new) =
                (followed(self.old, old), followed(self.new, &new["responses"][status]));
            if new.is_null() {
                self.report(format!("{what} is gone"));
                continue;
            }
            for (header, old) in fields(&old["headers"]) {
                let what = format!("{what}: header {header}");
                match new["headers"].get(header) {
                    None => self.report(format!("{what} is gone")),
                    Some(new) => {
                        let (old, new) = (followed(self.old, old), followed(self.new, new));
                        self.schema(&what, Sender::Service, &old["schema"], &new["schema"]);
                    }
                }
            }
            for (media_type, old) in fields(&old["content"]) {
                let what = format!("{what} {media_type}");
                match new["content"].get(media_type) {
                    None => self.report(format!("{what} is gone")),
                    Some(new) => {
                        self.schema(&what, Sender::Service, &old["schema"], &new["schema"]);
                    }
                }
            }
        }
    }

    fn schema(&mut self, what: &str, sender: Sender, old: &Value, new: &Value) {
        let (old, new) = (flattened(self.old, old), flattened(self.new, new));
        self.types(what, sender, &old, &new);
        self.values(what, &old, &new);
        self.bounds(what, sender, &old, &new);
        for (field, old_field) in fields(&old["properties"]) {
            let inner = format!("{what}.{field}");
            match new["properties"].get(field) {
                None => self.report(format!("{inner} is gone")),
                Some(new_field) => self.schema(&inner, sender, old_field, new_field),
            }
        }
        let required = |schema: &Value| -> BTreeSet<String> {
            let names = schema["required"].as_array().into_iter().flatten();
            names.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let (before, after) = (required(&old), required(&new));
        let (changed, how) = match sender {
            Sender::Client => (after.difference(&before), "is required"),
            Sender::Service => (before.difference(&after), "may be absent"),
        };
        for field in changed {
            self.report(format!("{what}.{field} {how}"));
        }
        for inner in ["items", "additionalProperties"] {
            match (&old[inner], &new[inner]) {
                (Value::Object(_), new_inner @ Value::Object(_)) => {
                    self.schema(&format!("{what}[]"), sender, &old[inner], new_inner);
                }
                (Value::Object(_), _) => self.report(format!("{what}[] is gone")),
                _ => {}
            }
        }
    }

    /// The receiver must know every type that the sender may send.
    fn types(&mut self, what: &str, sender: Sender, old: &Value, new: &Value) {
        let types = |schema: &Value| -> BTreeSet<String> {
            let one = schema["type"].as_str();
            let several = schema["type"].as_array().into_iter().flatten().filter_map(Value::as_str);
            several.chain(one).map(str::to_owned).collect()
        };
        let (before, after) = (types(old), types(new));
        let (sent, read) = match sender {
            Sender::Client => (&before, &after),
            Sender::Service => (&after, &before),
        };
        // No type at all means any.
        let all_known = read.is_empty() || (!sent.is_empty() && sent.is_subset(read));
        if !all_known || old["format"] != new["format"] {
            let named = |types: BTreeSet<String>, schema: &Value| {
                let types = types.into_iter().collect::<Vec<_>>().join(" or ");
                format!("{types} {}", schema["format"].as_str().unwrap_or("")).trim().to_owned()
            };
            self.report(format!("{what} was {}, is {}", named(before, old), named(after, new)));
        }
    }

    /// Values that programs compare with, such as codes, may only be added.
    fn values(&mut self, what: &str, old: &Value, new: &Value) {
        let after = new["enum"].as_array();
        for value in old["enum"].as_array().into_iter().flatten() {
            if after.is_none_or(|after| !after.contains(value)) {
                self.report(format!("{what}: {value} is gone"));
            }
        }
        if old["enum"].is_null() && !new["enum"].is_null() {
            self.report(format!("{what} has a list of values"));
        }
    }

    /// The receiver must accept all that is within the bounds of the sender.
    fn bounds(&mut self, what: &str, sender: Sender, old: &Value, new: &Value) {
        for (bound, is_upper) in
            [("minimum", false), ("maximum", true), ("minLength", false), ("maxLength", true)]
        {
            let (before, after) = (old[bound].as_f64(), new[bound].as_f64());
            let (sent, read) = match sender {
                Sender::Client => (before, after),
                Sender::Service => (after, before),
            };
            let breaks = match (sent, read) {
                (_, None) => false,
                (None, Some(_)) => true,
                (Some(sent), Some(read)) if is_upper => sent > read,
                (Some(sent), Some(read)) => sent < read,
            };
            if breaks {
                self.report(format!("{what}: {bound} was {}, is {}", old[bound], new[bound]));
            }
        }
        if matches!(sender, Sender::Client)
            && !new["pattern"].is_null()
            && old["pattern"] != new["pattern"]
        {
            self.report(format!("{what}: pattern was {}, is {}", old["pattern"], new["pattern"]));
        }
    }
}

fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// What a reference refers to; anything else is itself.
fn followed<'a>(root: &'a Value, value: &'a Value) -> &'a Value {
    let reference = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    reference.and_then(|place| root.pointer(place)).unwrap_or(value)
}

/// The schema with its reference followed and the parts of `allOf` put together.
fn flattened(root: &Value, schema: &Value) -> Value {
    let followed = followed(root, schema);
    let parts = followed["allOf"].as_array().cloned().unwrap_or_default();
    let mut whole = followed.clone();
    for part in parts {
        put_together(&mut whole, &flattened(root, &part));
    }
    whole
}

fn put_together(whole: &mut Value, part: &Value) {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            for (name, value) in part {
                put_together(whole.entry(name).or_insert(Value::Null), value);
            }
        }
        (Value::Array(whole), Value::Array(part)) => {
            let new: Vec<_> = part.iter().filter(|it| !whole.contains(it)).cloned().collect();
            whole.extend(new);
        }
        (whole, part) if whole.is_null() => *whole = part.clone(),
        _ => {}
    }
}

/// The description after a change.
fn changed(change: impl FnOnce(&mut Value)) -> Value {
    let mut described = described();
    change(&mut described);
    described
}

fn without(value: &mut Value, name: &str) {
    assert!(value.as_object_mut().unwrap().remove(name).is_some(), "{name}");
}

#[test]
fn a_change_that_breaks_a_client_is_named() {
    type Change = fn(&mut Value);
    const STATUS: &str = "/api/v1/user/queue/token/query";
    let cases: [(Change, &str); 13] = [
        (
            |it| it["paths"][STATUS]["get"]["operationId"] = json!("status"),
            "GET /api/v1/user/queue/token/query: operationId was \"queryStatus\", is \"status\"",
        ),
        (
            |it| it["components"]["headers"]["X-Total-Count"]["schema"]["type"] = json!("string"),
            "GET /api/v1/concerts/query: 200: header X-Total-Count was integer int64, is string int64",
        ),
        (
            |it| {
                it["paths"]["/api/v1/concerts/query"]["get"]["parameters"][0]["schema"]["default"] =
                    json!(2);
            },
            "GET /api/v1/concerts/query: query page: default was 1, is 2",
        ),
        (
            |it| without(&mut it["components"]["schemas"]["PlaceStatus"]["properties"], "position"),
            "GET /api/v1/user/queue/token/query: 200 application/json.position is gone",
        ),
        (
            |it| {
                it["components"]["schemas"]["Ticket"]["properties"]["number"]["type"] =
                    json!("string");
            },
            "POST /api/v1/user/{userId}/queue/token/issue: 200 application/json.number was integer int64, is string int64",
        ),
        (
            |it| {
                it["components"]["schemas"]["Ticket"]["properties"]["number"]["type"] =
                    json!(["integer", "null"]);
            },
            "POST /api/v1/user/{userId}/queue/token/issue: 200 application/json.number was integer int64, is integer or null int64",
        ),
        (
            |it| {
                let codes = it["components"]["responses"]["PLACE_GONE"]["content"]
                    ["application/problem+json"]["schema"]["allOf"][1]["properties"]["code"]["enum"]
                    .as_array_mut()
                    .unwrap();
                codes.clear();
            },
            "GET /api/v1/user/queue/token/query: 410 application/problem+json.code: \"PLACE_GONE\" is gone",
        ),
        (
            |it| without(&mut it["paths"][STATUS], "head"),
            "HEAD /api/v1/user/queue/token/query is gone",
        ),
        (|it| without(&mut it["paths"], "/docs"), "GET /docs is gone"),
        (
            |it| without(&mut it["paths"][STATUS]["get"]["responses"], "410"),
            "GET /api/v1/user/queue/token/query: 410 is gone",
        ),
        (
            |it| {
                it["paths"]["/api/v1/concerts/query"]["get"]["parameters"][0]["schema"]["maximum"] =
                    json!(1_000);
            },
            "GET /api/v1/concerts/query: query page: maximum was 4294967295, is 1000",
        ),
        (
            |it| {
                it["paths"]["/api/v1/concerts/query"]["get"]["parameters"][0]["required"] =
                    json!(true);
            },
            "GET /api/v1/concerts/query: query page is required",
        ),
        (
            |it| {
                without(
                    &mut it["paths"]["/api/v1/concerts/query"]["get"]["responses"]["200"]["headers"],
                    "ETag",
                );
            },
            "GET /api/v1/concerts/query: 200: header ETag is gone",
        ),
    ];
    for (change, named) in cases {
        let found = breaking_changes(&described(), &changed(change));
        assert!(found.iter().any(|change| change == named), "{named}\nis not among {found:#?}");
    }
}

#[test]
fn an_addition_breaks_nobody() {
    let more = changed(|it| {
        it["paths"]["/api/v2"] = it["paths"]["/docs"].clone();
        it["components"]["schemas"]["Ticket"]["properties"]["more"] = json!({ "type": "string" });
        let query = &mut it["paths"]["/api/v1/concerts/query"]["get"];
        query["responses"]["418"] = query["responses"]["400"].clone();
        query["parameters"].as_array_mut().unwrap().push(
            json!({ "in": "query", "name": "city", "required": false, "schema": { "type": "string" } }),
        );
    });
    assert_eq!(breaking_changes(&described(), &more), [""; 0]);
    assert_eq!(breaking_changes(&described(), &described()), [""; 0]);
}

#[test]
fn a_version_that_may_break_clients_is_a_major_one_or_a_minor_one_before_1() {
    let version = |text: &str| json!({ "info": { "version": text } });
    for (old, new, expected) in [
        ("0.1.0", "0.1.1", false),
        ("0.1.9", "0.2.0", true),
        ("0.9.0", "1.0.0", true),
        ("1.0.0", "1.1.0", false),
        ("1.9.0", "2.0.0", true),
        ("0.2.0", "0.1.0", false),
    ] {
        assert_eq!(may_break(&version(old), &version(new)), expected, "{old} to {new}");
    }
}
