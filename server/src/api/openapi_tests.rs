//! What it is: the description of the API beside its table of routes: neither has what the other has not.
//! What it is not: a test of answers; those are compared with the description from outside.
//! Who calls it: `cargo test`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Handler, ROUTES, Route};

fn description() -> Value {
    serde_json::from_slice(super::DESCRIPTION).expect("JSON")
}

/// What a reference stands for; anything else is itself.
fn meant<'a>(description: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(place) => description.pointer(place.trim_start_matches('#')).unwrap_or_else(|| panic!("no {place}")),
        None => value,
    }
}

/// Method and path, as the description has them.
fn name(route: &Route) -> (String, String) {
    (route.method.as_str().to_lowercase(), route.template.to_owned())
}

/// The statuses that answers of a route may have.
fn statuses(route: &Route) -> BTreeSet<&'static str> {
    let is_read = route.method == hyper::Method::GET;
    let has_body = !is_read && route.method != hyper::Method::DELETE;
    let is_kept = !is_read && matches!(route.handler, Handler::Op(_) | Handler::Own(_));
    let mut statuses = BTreeSet::from(["200"]);
    let mut add = |is_possible: bool, more: &[&'static str]| {
        statuses.extend(more.iter().filter(|_| is_possible));
    };
    add(!route.scopes.is_empty(), &["401", "403"]);
    // Only so many may watch a tail; what another server has is not to be had while that gives no answer.
    let is_elsewhere = matches!(route.handler, Handler::Socket(_));
    add(!is_read || is_elsewhere || route.template == "/api/v1/tail", &["503"]);
    add(has_body, &["400", "413", "415", "422"]);
    add(is_kept || route.template == "/api/v1/tokens", &["409"]);
    add(route.template.contains('{'), &["400"]);
    add(!route.query.is_empty(), &["422"]);
    // Each op of a batch has an error of its own.
    let names_something = is_kept && route.template != "/api/v1/batch" || route.template.contains("{sid}");
    add(names_something || route.query.contains(&"namespace"), &["404"]);
    statuses
}

#[test]
fn the_description_has_all_routes_and_no_others() {
    let description = description();
    let routes: BTreeSet<_> = ROUTES.iter().map(name).collect();
    assert_eq!(routes.len(), ROUTES.len(), "each once");
    let paths = description["paths"].as_object().expect("paths");
    let described = paths.iter().flat_map(|(path, item)| {
        item.as_object().expect("methods").keys().map(move |method| (method.clone(), path.clone()))
    });
    assert_eq!(described.collect::<BTreeSet<_>>(), routes);
}

#[test]
fn each_route_is_described_with_its_parameters_statuses_and_key() {
    let description = description();
    for route in &ROUTES {
        let (method, path) = name(route);
        let operation = &description["paths"][&path][&method];
        let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        let named = |place: &str| -> BTreeSet<&str> {
            let parameters = parameters.iter().map(|parameter| meant(&description, parameter));
            let found = parameters.filter(|parameter| parameter["in"] == place);
            found.map(|parameter| parameter["name"].as_str().expect("a name")).collect()
        };
        let in_path = path.split_once('{').and_then(|(_, rest)| Some(rest.split_once('}')?.0));
        assert_eq!(named("path"), in_path.into_iter().collect(), "{method} {path}");
        assert_eq!(named("query"), route.query.iter().copied().collect(), "{method} {path}");
        let is_kept = route.method != hyper::Method::GET && matches!(route.handler, Handler::Op(_) | Handler::Own(_));
        assert_eq!(named("header").contains("Idempotency-Key"), is_kept, "{method} {path}");
        assert_eq!(operation.get("security").is_some(), route.scopes.is_empty(), "{method} {path}");
        let responses = operation["responses"].as_object().expect("responses");
        assert_eq!(responses.keys().map(String::as_str).collect::<BTreeSet<_>>(), statuses(route), "{method} {path}");
        for response in responses.values() {
            assert!(meant(&description, response)["description"].is_string(), "{method} {path}");
        }
    }
}
