#!/usr/bin/env bash
# utoipa derives schemas that refuse what serde writes: a doc comment is enough.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common/base.sh"

CARGO=$(command -v cargo) || {
    echo "this needs cargo"
    exit 1
}

cat <<'TEXT'
Expected: a type that derives serde's Serialize and utoipa's ToSchema gets a schema that its own
          JSON conforms to. A doc comment on a field only adds a description.
Matters:  a field added to a response compiles, and the description is valid OpenAPI 3.1, but
          clients that check bodies refuse the response, and generators make types that cannot
          hold the value. Nothing reports it until a program compares a response with the schema.
TEXT

mkdir -p "$WORK/crate/src"
cat >"$WORK/crate/Cargo.toml" <<'TOML'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"

[dependencies]
serde = { version = "1", features = ["derive"] }
serde_json = "1"
utoipa = { version = "=6.0.0", default-features = false, features = ["macros"] }
utoipa-gen = "=6.0.1"

[workspace]
TOML
cat >"$WORK/crate/src/main.rs" <<'RUST'
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
struct Seats(u32);

#[derive(Serialize, ToSchema)]
enum State {
    Waiting,
}

#[derive(Serialize, ToSchema)]
struct Eta {
    seconds: u64,
}

#[derive(Serialize, ToSchema)]
struct Uncommented {
    #[schema(inline)]
    left: Seats,
    #[schema(inline)]
    state: State,
}

#[derive(Serialize, ToSchema)]
struct CommentedNumber {
    /// How many seats are free.
    #[schema(inline)]
    left: Seats,
}

#[derive(Serialize, ToSchema)]
struct CommentedEnum {
    /// Where the place is.
    #[schema(inline)]
    state: State,
}

#[derive(Serialize, ToSchema)]
struct CommentedOptional {
    /// How many seats are free.
    #[schema(inline)]
    left: Option<Seats>,
}

#[derive(Serialize, ToSchema)]
struct NumberKeys {
    titles: BTreeMap<u64, String>,
}

#[derive(Serialize, ToSchema)]
struct StringKeys {
    titles: BTreeMap<String, String>,
}

#[derive(Serialize, ToSchema)]
struct Flattened {
    number: u64,
    #[serde(flatten)]
    #[schema(inline)]
    eta: Option<Eta>,
}

fn show<T: Serialize + ToSchema>(name: &str, value: &T) {
    println!("{}", json!({ "name": name, "schema": T::schema(), "value": value }));
}

fn main() {
    show("uncommented", &Uncommented { left: Seats(3), state: State::Waiting });
    show("number", &CommentedNumber { left: Seats(3) });
    show("enum", &CommentedEnum { state: State::Waiting });
    show("optional", &CommentedOptional { left: Some(Seats(3)) });
    show("number keys", &NumberKeys { titles: BTreeMap::from([(1, "One".to_owned())]) });
    show("no keys", &NumberKeys { titles: BTreeMap::new() });
    show("string keys", &StringKeys { titles: BTreeMap::from([("1".to_owned(), "One".to_owned())]) });
    show("flattened", &Flattened { number: 1, eta: Some(Eta { seconds: 2 }) });
    show("flattened none", &Flattened { number: 1, eta: None });
}
RUST
pip_install whole openapi-spec-validator==0.9.0
(cd "$WORK/crate" && CARGO_TARGET_DIR=$WORK/target "$CARGO" build -q)
export SHOWN=$WORK/shown PYTHONPATH=$WORK/pip:$PYTHONPATH
"$WORK/target/debug/finding" >"$SHOWN"
must_be utoipa 6.0 "$(cd "$WORK/crate" && "$CARGO" tree -q --depth 1 -i utoipa-gen | grep 'utoipa v' | cut -d' ' -f2-3)"

run_each once <<'PYTHON'
import json

from claims import *
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

with open(os.environ["SHOWN"], encoding="utf-8") as file:
    shown = {line["name"]: line for line in map(json.loads, file)}

def conforms(name):
    return Draft202012Validator(shown[name]["schema"]).is_valid(shown[name]["value"])

print("utoipa 6.0, a type's JSON and its schema:")
for name, part, wanted, text in (
    ("uncommented", None, True, "inline newtype and enum: it conforms"),
    ("number", "left", False, "the newtype with a doc comment: nothing conforms"),
    ("enum", "state", False, "the enum with a doc comment: nothing conforms"),
    ("optional", "left", True, "an Option of it with a doc comment: it conforms"),
    ("number keys", "titles", False, "BTreeMap<u64, _> with an entry: it does not conform"),
    ("no keys", None, True, "BTreeMap<u64, _> without entries: it conforms"),
    ("string keys", None, True, "BTreeMap<String, _>: it conforms"),
    ("flattened", None, True, "a flattened Option that is Some: it conforms"),
    ("flattened none", None, False, "a flattened Option that is None: it does not conform"),
):
    schema = shown[name]["schema"]
    seen = json.dumps(schema["properties"][part] if part else shown[name]["value"])
    claim(text, conforms(name) == wanted, seen)

schemas = {name.replace(" ", "-"): line["schema"] for name, line in shown.items()}
info = {"title": "Finding", "version": "1"}
description = {"openapi": "3.1.0", "info": info, "paths": {}, "components": {"schemas": schemas}}
errors = [error.message for error in OpenAPIV31SpecValidator(description).iter_errors()]
claim("openapi-spec-validator accepts all of these schemas", errors == [], f"{len(errors)} errors")
done()
PYTHON
