use super::*;
use crate::report::escape::is_hidden;
use crate::report::sample;

fn page() -> String {
    html(&sample::report()).unwrap()
}

#[test]
fn hostile_names_are_text_and_nothing_else() {
    let page = page();
    assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"));
    assert!(!page.to_lowercase().contains("<script"));
    assert!(page.contains(r#"invoice<span class="hid" title="U+202E">\u{202e}</span>gpj.exe"#));
    assert_eq!(page.chars().filter(|c| is_hidden(*c) && *c != '\n').count(), 0);
}

#[test]
fn the_policy_allows_this_style_and_nothing_else() {
    let page = page();
    let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    assert_eq!(style, STYLE);
    let hash = BASE64.encode(&Sha256::digest(style));
    let policy = format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'");
    assert!(page.contains(&format!(r#"<meta http-equiv="Content-Security-Policy" content="{policy}">"#)), "{policy}");
    assert!(!STYLE.contains("</") && !STYLE.contains('\r') && !STYLE.contains("url("));
    for forbidden in [" style=", " onclick=", " onload=", " src=", "javascript:", "http://", "https://", "@import"] {
        let page = page.replace("HYPERLINK(&quot;http://203.0.113.9/", "");
        assert!(!page.contains(forbidden), "{forbidden}");
    }
}

/// A span that shows a hidden character must not land between an attribute's quotes.
#[test]
fn templates_print_into_attributes_only_through_their_filters() {
    for template in [PAGE, FINDING] {
        let mut rest = template;
        while let Some(at) = rest.find("{{") {
            let before = &rest[..at];
            let tag = before.rfind('<').map_or("", |open| &before[open..]);
            let inside = !tag.contains('>') && tag.matches('"').count() % 2 == 1;
            let expression = &rest[at..rest[at..].find("}}").unwrap() + at];
            if inside {
                assert!(expression.contains("|attr") || expression.contains("|anchor"), "{expression}");
            }
            assert!(!expression.contains("|safe"), "{expression}");
            rest = &rest[at + 2..];
        }
        assert!(!template.contains("autoescape"));
    }
}

#[test]
fn the_page_tells_completeness_before_the_verdict_and_the_verdict_before_findings() {
    let page = page();
    let place = |what: &str| page.find(what).unwrap_or_else(|| panic!("{what}"));
    assert!(place("<code><bdi>crm</bdi></code> is expected and has no snapshot") < place("id=\"completeness\""));
    assert!(place("id=\"completeness\"") < place("id=\"verdict\""));
    assert!(place("id=\"verdict\"") < place("id=\"findings\""));
    assert!(page.contains("<span class=\"none\">not stated</span>"));
    assert!(page.contains("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"));
}

#[test]
fn every_finding_is_there_once_and_every_link_leads_somewhere() {
    let report = sample::report();
    let page = html(&report).unwrap();
    for finding in &report.findings {
        assert_eq!(page.matches(&format!("id=\"f-{}\"", finding.fingerprint)).count(), 1);
        for origin in &finding.origins {
            assert!(page.contains(&escape::html(&origin.place())));
        }
    }
    for link in page.split("href=\"#").skip(1) {
        let target = link.split('"').next().unwrap();
        assert_eq!(page.matches(&format!(" id=\"{target}\"")).count(), 1, "{target}");
    }
}

#[test]
fn counts_of_tiles_are_counts_of_rows() {
    let report = sample::report();
    let page = html(&report).unwrap();
    let rows = |class: &str| page.matches(&format!("<summary><span><span class=\"chip {class}\">")).count() as u64;
    // Covered findings are shown and not counted.
    let also = report.findings.iter().filter(|f| f.also).map(|f| f.state.to_string()).collect::<Vec<_>>();
    let held = |state: &str| also.iter().filter(|s| *s == state).count() as u64;
    assert_eq!(rows("c-new"), report.totals.states.new + held("new"));
    assert_eq!(rows("c-open"), report.totals.states.open + held("open"));
    assert_eq!(rows("c-resolved"), report.totals.states.resolved);
}

#[test]
fn the_same_report_gives_the_same_bytes_whatever_its_order() {
    let mut report = sample::report();
    report.findings.reverse();
    report.checks.reverse();
    report.sources.reverse();
    assert_eq!(html(&report.seal()).unwrap(), page());
}

#[test]
fn an_empty_report_is_a_page_too() {
    let mut report = sample::report();
    (report.findings, report.sources, report.checks, report.exceptions) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let page = html(&report.seal()).unwrap();
    assert!(page.contains("No finding, live or settled."));
}

#[test]
fn thousands_of_findings_still_render() {
    let mut report = sample::report();
    let one = report.findings[0].clone();
    report.findings = (0..3_000).map(|n| FindingEntry { fingerprint: format!("{n:032x}"), ..one.clone() }).collect();
    let page = html(&report.seal()).unwrap();
    assert_eq!(page.matches("<details class=\"f").count(), 3_000);
    assert!(page.len() < 3_000 * 4_000, "{} bytes", page.len());
}
