use serde_json::Value;

use super::*;
use crate::model::{Answer, Certainty, FindingState, OutcomeKind, RecordUnit, Severity, SubjectKind, Word};
use crate::report::sample;

fn schema() -> Value {
    serde_json::from_str(include_str!("../../../docs/report-v1.schema.json")).unwrap()
}

fn output() -> Value {
    serde_json::from_str(&report_v1(&sample::report()).unwrap()).unwrap()
}

/// The keywords that the schema uses. A field that the schema does not know is a fault here: the schema documents all.
fn check(root: &Value, rule: &Value, value: &Value, at: &str) {
    if let Some(name) = rule["$ref"].as_str() {
        check(root, &root["$defs"][name.strip_prefix("#/$defs/").unwrap()], value, at);
    }
    if let Some(words) = rule["enum"].as_array() {
        assert!(words.contains(value), "{at}: {value} is not in {words:?}");
    }
    let types = rule["type"].as_array().cloned().unwrap_or_else(|| rule["type"].as_str().map(Value::from).into_iter().collect());
    let is = |name: &Value| match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => panic!("{at}: type {other}"),
    };
    assert!(types.is_empty() || types.iter().any(is), "{at}: {value} is not of {types:?}");
    for name in rule["required"].as_array().into_iter().flatten() {
        assert!(value.get(name.as_str().unwrap()).is_some(), "{at}: {name} is missing");
    }
    if let (Some(known), Some(held)) = (rule["properties"].as_object(), value.as_object()) {
        assert_eq!(rule["required"].as_array().unwrap().len(), known.len(), "{at}: every field is required");
        for (name, held) in held {
            let rule = known.get(name).unwrap_or_else(|| panic!("{at}.{name} is not in the schema"));
            check(root, rule, held, &format!("{at}.{name}"));
        }
    }
    if rule["items"].is_object() {
        for (i, item) in value.as_array().unwrap().iter().enumerate() {
            check(root, &rule["items"], item, &format!("{at}[{i}]"));
        }
    }
}

#[test]
fn the_output_is_what_the_schema_says() {
    let schema = schema();
    check(&schema, &schema, &output(), "$");
}

#[test]
fn the_schema_knows_every_word_that_the_model_has() {
    fn words<W: Word>() -> Vec<Value> {
        W::ALL.iter().map(|w| Value::from(w.as_str())).collect()
    }
    let defs = &schema()["$defs"];
    let finding = &defs["finding"]["properties"];
    for (rule, mut want) in [
        (&defs["severity"], words::<Severity>()),
        (&defs["unit"], words::<RecordUnit>()),
        (&defs["source"]["properties"]["fresh"], words::<Answer>()),
        (&defs["outcome"]["properties"]["outcome"], words::<OutcomeKind>()),
        (&finding["certainty"], words::<Certainty>()),
        (&finding["state"], words::<FindingState>()),
        (&finding["subject"]["properties"]["kind"], words::<SubjectKind>()),
    ] {
        let mut held = rule["enum"].as_array().unwrap().clone();
        let text = |v: &Value| v.as_str().unwrap().to_owned();
        held.sort_by_key(text);
        want.sort_by_key(text);
        assert_eq!(held, want);
    }
}

#[test]
fn values_are_raw_and_the_text_ends_with_a_line_feed() {
    let report = sample::report();
    let text = report_v1(&report).unwrap();
    assert!(text.ends_with("}\n"));
    let names: Vec<_> = output()["findings"].as_array().unwrap().iter().map(|f| f["subject"]["name"].clone()).collect();
    assert!(names.contains(&Value::from(sample::OVERRIDE)));
    assert!(names.contains(&Value::from(sample::FORMULA)));
}

#[test]
fn the_order_in_which_findings_came_does_not_show() {
    let mut report = sample::report();
    report.findings.reverse();
    assert_eq!(report_v1(&report.seal()).unwrap(), report_v1(&sample::report()).unwrap());
}

/// Fields may be added; these are promised.
#[test]
fn the_frozen_fields_of_a_finding() {
    let output = output();
    let finding = output["findings"].as_array().unwrap().iter().find(|f| f["check"] == "leaver-access-unremoved").unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(finding).unwrap(), @r###"
        {
          "fingerprint": "000000000000000000000000000000a0",
          "check": "leaver-access-unremoved",
          "severity": "critical",
          "certainty": "certain",
          "state": "new",
          "also": false,
          "system": "ad-corp",
          "subject": {
            "kind": "edge",
            "native_id": "ad-corp/guid-0100 -> Domain Admins",
            "name": null
          },
          "account": "ad-corp/guid-0100",
          "identity": "E00100",
          "identity_name": "Jane Doe",
          "principal": "ad-corp/guid-0100",
          "target": "Domain Admins",
          "target_name": "Domain Admins",
          "resource": null,
          "case": "ad-corp|Jane Doe",
          "observed_at": "2026-11-22T00:00:00Z",
          "since": "2026-05-03T00:00:00Z",
          "age_days": 203.0,
          "title": "`Jane Doe` left 2026-05-03 and is still a member of `Domain Admins`, 203 days later",
          "evidence": {
            "login": "Jane Doe",
            "status": "active",
            "created_at": "2025-01-31T08:15:00Z",
            "last_used_at": null,
            "roles": [
              "reader",
              "writer"
            ]
          },
          "origins": [
            {
              "table": "accounts",
              "fact": "row",
              "file": "ad-corp/users.ldif#1a2b3c4d",
              "unit": "line",
              "number": 2318
            }
          ],
          "remedy": "remove `Jane Doe` from `Domain Admins`",
          "controls": [
            "NIST SP 800-53 AC-2(3)",
            "ISO/IEC 27001 A.5.18"
          ],
          "exception": null,
          "first_seen": "2026-11-15T00:00:00Z",
          "last_seen": "2026-11-22T00:00:00Z"
        }
        "###);
}
