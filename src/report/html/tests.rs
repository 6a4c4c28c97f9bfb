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
fn of_thousands_of_findings_the_page_has_the_first() {
    let mut report = sample::report();
    let one = report.findings[0].clone();
    report.findings = (0..3_000).map(|n| FindingEntry { fingerprint: format!("{n:032x}"), ..one.clone() }).collect();
    let page = html(&report.seal()).unwrap();
    assert_eq!(page.matches("<details class=\"f").count(), page::LISTED);
    assert!(page.contains(&format!("{} more of this check are not on this page", format::grouped(3_000 - page::LISTED as u64))));
    assert!(page.len() < page::LISTED * 6_000, "{} bytes", page.len());
}

#[test]
fn charts_are_drawn_and_told_in_words() {
    let page = page();
    let charts: Vec<&str> = page.split("<svg class=\"chart\"").skip(1).map(|c| c.split("</svg>").next().unwrap()).collect();
    assert_eq!(charts.len(), 4);
    for chart in charts {
        let id = chart.split("aria-labelledby=\"").nth(1).unwrap().split("-title").next().unwrap();
        assert!(chart.contains(" role=\"img\""));
        assert!(chart.contains(&format!("<title id=\"{id}-title\">")) && chart.contains(&format!("<desc id=\"{id}-desc\">")), "{id}");
        // A span inside a drawing would end it.
        assert!(!chart.contains("<span") && !chart.contains("NaN") && !chart.contains("inf"), "{chart}");
    }
    let desc = page.split("id=\"chart-revoke-desc\">").nth(1).unwrap().split('<').next().unwrap();
    assert_eq!(
        desc,
        "Of 4 cases, 3 closed and 1 open. After 0.00 days 100.0 % not yet closed; After 0.50 days 50.0 % to 100.0 % not yet closed; \
         After 7.00 days 25.0 % to 50.0 % not yet closed"
    );
    let desc = page.split("id=\"chart-trend-desc\">").nth(1).unwrap().split('<').next().unwrap();
    assert_eq!(desc, "2026-11-15: 20 new, 0 reopened, 0 open, 0 resolved; 2026-11-22: 12 new, 6 reopened, 19 open, 1 resolved");
    let desc = page.split("id=\"chart-exceptions-desc\">").nth(1).unwrap().split('<').next().unwrap();
    assert_eq!(desc, "up to 30 days: 1 open, 0 not; over 365 days: 2 open, 1 not");
}

#[test]
fn hostile_systems_are_text_in_charts_and_views() {
    let mut report = sample::report();
    for (f, name) in report.findings.iter_mut().zip([sample::SCRIPT, sample::OVERRIDE].into_iter().cycle()) {
        f.system = name.into();
    }
    let page = html(&report.seal()).unwrap();
    assert!(!page.to_lowercase().contains("<script"));
    assert!(page.contains("chart-systems-desc\">&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;: "));
    assert_eq!(page.chars().filter(|c| is_hidden(*c) && *c != '\n').count(), 0);
    let chart = page.split("<svg class=\"chart\"").nth(1).unwrap().split("</svg>").next().unwrap();
    assert!(chart.contains(r"invoice\u{202e}gpj.exe:") && !chart.contains("<span"), "{chart}");
}

#[test]
fn metrics_are_shown_with_definition_or_with_the_reason_for_none() {
    let page = page();
    let metric = |id: &str| page.split(&format!("id=\"m-{id}\"")).nth(1).unwrap().split("</details>").next().unwrap().to_owned();
    let orphans = metric("orphan-rate");
    assert!(orphans.contains("<dd>11 of 2267, 0.5 % (up to 17, 0.7 %)</dd>") && orphans.contains("<dt>over</dt><dd>Of whom.</dd>"));
    assert!(orphans.contains("&lt;script&gt;"), "a key of a breakdown");
    assert!(metric("failed-workflows").contains("<b>Not measurable:</b> no source covers a workflow log."));
}

#[test]
fn views_by_system_and_owner_add_up_to_the_totals() {
    let report = sample::report();
    for views in [views::by_system(&report), views::by_owner(&report)] {
        let sum: u64 = views.iter().map(|v| v.totals().certain + v.totals().possible).sum();
        assert_eq!(sum, report.totals.certain + report.totals.possible);
    }
}

#[test]
fn a_page_that_leaves_findings_out_says_how_many_and_links_to_none_of_them() {
    let mut report = sample::report();
    let first = report.findings.iter().find(|f| f.is_live() && !f.also && f.identity.is_some()).unwrap().clone();
    let before = report.findings.iter().filter(|f| f.check == first.check).count();
    // All in one case, which lists those that the page leaves out, too.
    for i in 0..page::LISTED {
        report.findings.push(FindingEntry { fingerprint: format!("more-{i:04}"), ..first.clone() });
    }
    let page = html(&report).unwrap();
    let shown = (0..page::LISTED).filter(|i| page.contains(&format!("id=\"f-more-{i:04}\""))).count();
    assert_eq!(shown, page::LISTED - before);
    let more = if before == 1 {
        "1 more of this check is not on this page".to_owned()
    } else {
        format!("{before} more of this check are not on this page")
    };
    assert!(page.contains(&more), "{more}");
    for link in page.split("href=\"#").skip(1) {
        let target = link.split('"').next().unwrap();
        assert_eq!(page.matches(&format!(" id=\"{target}\"")).count(), 1, "{target}");
    }
    assert!(!self::page().contains("not on this page"), "a page with few findings has them all");
}
