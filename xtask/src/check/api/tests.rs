//! Tests of the checks of `openapi.yaml`.
//!
//! Most tests replace a part of a small API description and expect the violation that follows.

use super::*;

/// A complete description with two operations, a parameter and a schema.
const SMALL: &str = r"
openapi: 3.0.3
tags: [{ name: things }]
paths:
  /things/{id}:
    get:
      operationId: getThing
      summary: A thing
      tags: [things]
      security: [{ token: [] }]
      parameters: [{ $ref: '#/components/parameters/Id' }]
      responses:
        '200':
          description: It
          content:
            application/json:
              schema: { $ref: '#/components/schemas/Thing' }
              example: { id: a1, size: null }
  /health:
    get:
      operationId: getHealth
      summary: Health
      tags: [things]
      security: []
      responses: { '200': { description: Fine } }
components:
  securitySchemes: { token: { type: http, scheme: bearer } }
  parameters:
    Id: { name: id, in: path, required: true, schema: { type: string }, example: a1 }
  schemas:
    Thing:
      type: object
      additionalProperties: true
      required: [id, size]
      properties:
        id: { type: string, pattern: '^[a-z][0-9]$' }
        size: { type: integer, format: int64, nullable: true }
";

/// Returns the violations in `SMALL` after replacing `old` by `new`.
fn violations_after(old: &str, new: &str) -> Vec<String> {
    assert!(SMALL.contains(old), "{old}");
    let description = Description::parse(&SMALL.replacen(old, new, 1)).unwrap();
    let mut violations = completeness_violations(&description);
    violations.extend(generators::violations(&description));
    violations
}

/// Returns a set of routes.
fn routes(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn openapi_description_of_the_project_has_no_violations() {
    for (title, violations) in violations(&Paths::of_workspace().unwrap()).unwrap() {
        assert_eq!(violations, Vec::<String>::new(), "{title}");
    }
}

#[test]
fn route_missing_in_template_or_description_is_reported() {
    let description = Description::parse(SMALL).unwrap();
    let described = ["GET /things/{id}", "GET /health"];

    let same_and_preflight = routes(&[described.as_slice(), &["OPTIONS /health"]].concat());
    assert_eq!(route_violations(&description, &same_and_preflight), Vec::<String>::new());

    let one_more = routes(&[described.as_slice(), &["POST /things"]].concat());
    assert_eq!(route_violations(&description, &one_more), ["POST /things is not described"]);

    let one_less = routes(&described[1..]);
    let violations = route_violations(&description, &one_less);
    assert_eq!(violations, ["GET /things/{id} is described but not in the template"]);
}

#[test]
fn every_missing_or_invalid_part_of_an_operation_is_reported() {
    // Without a change, the description has no violations.
    assert_eq!(violations_after("Health", "Health"), Vec::<String>::new());
    for (old, new, violation) in [
        ("operationId: getThing", "x: y", "GET /things/{id} has no operationId"),
        ("getHealth", "getThing", "GET /things/{id} has a duplicate operationId: getThing"),
        ("summary: A thing", "summary: ''", "GET /things/{id} has no summary"),
        ("tags: [things]", "tags: []", "GET /things/{id} has no tags"),
        ("tags: [things]", "tags: [x]", "GET /things/{id} has the undeclared tag \"x\""),
        ("security: []", "x: y", "GET /health states no security"),
        (
            "security: [{ token: [] }]",
            "security: []",
            "GET /things/{id}: credentials are required everywhere except at /health and /metadata",
        ),
        ("[{ token: [] }]", "[{ x: [] }]", "GET /things/{id}: there is no security scheme x"),
        (
            "name: id,",
            "name: x,",
            "GET /things/{id}: id is in the path or the parameters, but not in both",
        ),
        (
            "'#/components/parameters/Id'",
            "'#/components/parameters/X'",
            "the reference to \"#/components/parameters/X\" has no target",
        ),
    ] {
        let violations = violations_after(old, new);
        assert!(
            violations.iter().any(|reported| reported == violation),
            "{violation}: {violations:?}"
        );
    }
}

#[test]
fn example_that_violates_its_schema_is_reported() {
    for (old, new, place) in [
        ("{ id: a1, size: null }", "{ id: a1, size: x }", "200, application/json: /size"),
        ("{ id: a1, size: null }", "{ id: a1 }", "200, application/json: all of it"),
        ("{ id: a1, size: null }", "{ id: 1a, size: 1 }", "200, application/json: /id"),
        ("example: a1", "example: 5", "the parameter \"id\": all of it"),
    ] {
        let violations = violations_after(old, new);
        let prefix = format!("GET /things/{{id}}, example of {place}: ");
        assert!(violations.len() == 1 && violations[0].starts_with(&prefix), "{violations:?}");
    }
}

#[test]
fn json_body_without_an_example_is_reported() {
    let violations = violations_after("example: { id: a1, size: null }", "x: y");
    assert_eq!(violations, ["GET /things/{id} has no example of 200, application/json"]);
}

#[test]
fn schemas_that_break_generated_clients_are_reported() {
    const SIZE: &str = "{ type: integer, format: int64, nullable: true }";
    for (old, new, violation) in [
        ("3.0.3", "3.1.0", "it is not OpenAPI 3.0"),
        (
            "    Thing:",
            "    Thing: { }\n    A_thing:",
            "the schema A_thing: letters and digits only",
        ),
        (SIZE, "{ type: integer }", "Thing.size is an integer without a format or a small maximum"),
        (
            SIZE,
            "{ type: integer, maximum: 2147483648 }",
            "Thing.size is an integer without a format or a small maximum",
        ),
        (SIZE, "{ properties: { a: {} } }", "Thing.size has properties but is not an object"),
        (
            SIZE,
            "{ oneOf: [{ type: string }] }",
            "Thing.size: the alternative {\"type\":\"string\"} has no name",
        ),
        (
            "additionalProperties: true",
            "additionalProperties: false",
            "Thing is in responses and has no additionalProperties: true",
        ),
        (
            "{ '200': { description: Fine } }",
            "{ default: { description: Fine } }",
            "get /health: statuses must be explicit, not default",
        ),
        (
            "{ '200': { description: Fine } }",
            "{ '409': { description: No, content: { application/json: { schema: {} } } } }",
            "get /health: the error response 409 is not a problem document",
        ),
        ("/health:", "/he*alth:", "the path /he*alth: a part is a name or letters, digits, - . _"),
    ] {
        let violations = violations_after(old, new);
        assert!(
            violations.iter().any(|reported| reported == violation),
            "{violation}: {violations:?}"
        );
    }
}
