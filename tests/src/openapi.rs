//! What it is: the description of the server's API (OpenAPI) as a judge of answers.
//! What it is not: a validator of all that such descriptions may say; it panics where it knows too little.
//! Who calls it: the tests of the API.

use serde_json::Value;

use crate::http::Answer;

/// A description.
#[derive(Debug)]
pub struct Description(Value);

impl Description {
    /// Reads it.
    pub fn read(text: &str) -> Self {
        Self(serde_json::from_str(text).expect("JSON"))
    }

    /// Panics unless this may be the answer to a request with this method and target.
    pub fn judge(&self, line: &str, answer: &Answer) {
        let (method, target) = line.split_once(' ').expect("a method and a target");
        let path = target.split('?').next().unwrap_or_default();
        let paths = self.0["paths"].as_object().expect("paths");
        // A name may be like a path that is one by itself.
        let exact = paths.get_key_value(path);
        let (_, item) = exact.or_else(|| paths.iter().find(|(template, _)| has_form(template, path))).expect("a path");
        let response = self.meant(&item[method.to_lowercase()]["responses"][answer.status.to_string()]);
        assert!(response.is_object(), "{line} is not described with status {}: {}", answer.status, answer.body);
        let media = answer.header("content-type");
        let schema = &response["content"][media]["schema"];
        assert!(schema.is_object(), "{line} is not described as {media}");
        for name in response["headers"].as_object().into_iter().flat_map(|headers| headers.keys()) {
            assert!(!answer.header(&name.to_lowercase()).is_empty(), "{line} lacks {name}");
        }
        let lines: Vec<&str> =
            if media == "application/json" { vec![&answer.body] } else { answer.body.lines().collect() };
        for body in lines {
            let body: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"));
            if let Err(why) = self.check(schema, &body) {
                panic!("{line} is answered otherwise than described: {why} in {body}");
            }
        }
    }

    fn meant<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(place) => self.0.pointer(place.trim_start_matches('#')).expect("what a reference stands for"),
            None => value,
        }
    }

    fn check(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let schema = self.meant(schema).as_object().expect("a schema");
        for (keyword, said) in schema {
            let is_right = match keyword.as_str() {
                "description" | "properties" | "default" | "contentEncoding" => true,
                "const" => value == said,
                "enum" => said.as_array().expect("values").contains(value),
                "type" => match said {
                    Value::Array(types) => types.iter().any(|name| is_of(value, name)),
                    name => is_of(value, name),
                },
                "minimum" => value.is_null() || value.as_f64() >= said.as_f64(),
                "required" => {
                    let names = said.as_array().expect("names").iter().filter_map(Value::as_str);
                    names.into_iter().all(|name| value.get(name).is_some())
                }
                "items" => return value.as_array().into_iter().flatten().try_for_each(|item| self.check(said, item)),
                "oneOf" => said.as_array().expect("schemas").iter().any(|schema| self.check(schema, value).is_ok()),
                "additionalProperties" => true,
                other => panic!("what is {other}?"),
            };
            if !is_right {
                return Err(format!("{keyword} {said} of {value}"));
            }
        }
        // What is not described must not be there, unless the description says that it may.
        for (name, field) in value.as_object().into_iter().flatten() {
            let known = schema.get("properties").and_then(|properties| properties.get(name));
            match known.or(schema.get("additionalProperties")) {
                Some(Value::Bool(true)) => {}
                Some(schema) => self.check(schema, field).map_err(|why| format!("{name}: {why}"))?,
                None if schema.contains_key("properties") => return Err(format!("{name} is not described")),
                None => {}
            }
        }
        Ok(())
    }
}

/// Whether a value is of this type.
fn is_of(value: &Value, name: &Value) -> bool {
    match name.as_str().expect("a type") {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("what is {other}?"),
    }
}

/// Whether a path is of the form of a template.
fn has_form(template: &str, path: &str) -> bool {
    let (of_template, of_path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    let is_like = |(of_template, of_path): (&&str, &&str)| of_template.starts_with('{') || of_template == of_path;
    of_template.len() == of_path.len() && of_template.iter().zip(&of_path).all(is_like)
}
