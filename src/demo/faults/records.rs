//! Faults about the records: workloads that nobody registered or owns, access that outlived its approval, tickets closed too early.

use std::io;

use super::{AD, CRM, LDAP, MENDED, OKTA, PROD, Planting, missing};
use crate::demo::answers::{State, Subject};
use crate::demo::life::{Edge, Spans};
use crate::demo::okta::Token;
use crate::demo::records::{self, Certificate, Request};
use crate::demo::{ad, clock};
use crate::model::time::HOUR;

impl Planting<'_> {
    /// The register of workloads is made once everything is planted that it should know.
    pub(super) fn registers(&mut self) -> io::Result<()> {
        self.estate.records.workloads = records::workloads(self.estate);
        self.unregistered()?;
        self.unowned()?;
        self.retired()?;
        self.certificates();
        self.tickets()?;
        self.systems();
        Ok(())
    }

    /// A leaver who can still sign in to everything, with a token of her own.
    pub(super) fn identity_provider(&mut self) -> io::Result<()> {
        let login = "leila.mansourian@corp.example";
        let user = self.estate.okta.user_mut(login).ok_or_else(|| missing(login))?;
        super::keep(&mut user.life);
        user.groups.iter_mut().for_each(|edge| edge.spans.stay());
        let created = user.life.created;
        user.apps.push(Edge::from("Status Page", created));
        self.estate.okta.tokens.push(Token { name: "offer sync", login: login.to_owned(), created: 80, used: 2 });
        let (subject, password) = (self.on(OKTA, login), self.password(OKTA, login));
        self.find("ghost-account", subject.clone(), State::Open, "left 45 days before; signs in to everything that the provider knows");
        self.find("leaver-live-credential", password, State::Open, "the password of that account");
        let token = self.estate.okta.token_id("offer sync");
        let token = self.credential(OKTA, login, &token);
        self.find("leaver-live-credential", token, State::Open, "an API token of that account, used two days before");
        self.unremoved_edges(OKTA, login, true, State::Open, "a group of that account");
        let app = self.edge(OKTA, login, "Status Page");
        self.find("leaver-access-unremoved", app, State::Open, "an app of that account");
        self.find("use-after-termination", subject, State::Open, "somebody goes on using that account");
        Ok(())
    }

    fn unregistered(&mut self) -> io::Result<()> {
        let check = "unregistered-nonhuman";
        for login in ["svc-badge", "svc-webforms", "migration-runner", "svc-etl"] {
            self.estate.records.workload_mut(login).ok_or_else(|| missing(login))?;
        }
        self.estate.records.workloads.retain(|w| !["svc-badge", "svc-webforms"].contains(&w.login.as_str()));
        self.estate.records.workloads.retain(|w| !w.aliases.iter().any(|a| a.ends_with("/migration-runner")));
        if let Some(etl) = self.estate.records.workload_mut("svc-etl") {
            (etl.login, etl.aliases) = (String::new(), vec!["SVC-ETL".to_owned()]);
        }
        let mut young = ad::service_account("svc-pilot");
        young.life.created = clock::end().plus(-12 * HOUR);
        self.estate.ad.add(young);
        let subject = self.on(AD, "svc-badge");
        self.find(check, subject, State::Open, "a service account that is in no register");
        let subject = self.on(CRM, "svc-webforms");
        self.find(check, subject, State::Open, "a service account of the application that is in no register");
        let arn = self.estate.prod.role_arn("migration-runner");
        let role = Subject { system: PROD.to_owned(), shown: "migration-runner".to_owned(), native_id: arn, account: None };
        self.find(check, role, State::Open, "a role that is in no register");
        let near = &mut self.answers;
        near.near(check, AD, "svc-etl", "registered, under another spelling");
        near.near(check, AD, "svc-pilot", "made half a day before the register was read");
        Ok(())
    }

    fn unowned(&mut self) -> io::Result<()> {
        let check = "unowned-nonhuman";
        let (gone, leaving) = (self.number("ottilie.brandvold"), self.number("till.ebersold"));
        for (login, owner) in [("svc-vcenter", gone), ("svc-graylog", "099999".to_owned()), ("svc-dhcp", leaving)] {
            self.estate.records.workload_mut(login).ok_or_else(|| missing(login))?.owner = owner;
        }
        let subject = self.on(AD, "svc-vcenter");
        self.find(check, subject, State::Open, "its owner left 40 days before");
        let subject = self.on(LDAP, "svc-graylog");
        self.find(check, subject, State::Open, "its owner is a number that nobody has");
        self.answers.near(check, AD, "svc-dhcp", "its owner's last day is that of the last export");
        Ok(())
    }

    fn retired(&mut self) -> io::Result<()> {
        let check = "retired-workload-live";
        for (login, day) in [("svc-crmsync", 45), ("svc-mailrelay", 20), ("svc-archive", 60), ("svc-print", -10)] {
            self.estate.records.workload_mut(login).ok_or_else(|| missing(login))?.retired = Some(day);
        }
        self.ad("svc-mailrelay")?.life.disabled = Spans::from(clock::days_before(MENDED));
        self.ad("svc-archive")?.life.disabled = Spans::from(clock::days_before(59));
        let subject = self.on(AD, "svc-crmsync");
        self.find(check, subject, State::Open, "retired 45 days before, and still enabled");
        let subject = self.on(AD, "svc-mailrelay");
        self.find(check, subject, State::Resolved, "retired 20 days before, and disabled three days before the last export");
        let near = &mut self.answers;
        near.near(check, AD, "svc-archive", "retired 60 days before, and disabled the day after");
        near.near(check, AD, "svc-print", "its retirement lies ten days ahead");
        Ok(())
    }

    fn certificates(&mut self) {
        let check = "expired-credential-enabled";
        for (n, (subject, issued, ends, revoked)) in [
            ("storefront.corp.example", 300, -65, false),
            ("billing.corp.example", 400, 35, false),
            ("search.corp.example", 368, 3, false),
            ("mail.corp.example", 420, 55, true),
            ("vpn.corp.example", 200, -165, false),
            ("ci.corp.example", 100, 0, false),
        ]
        .into_iter()
        .enumerate()
        {
            let ends = clock::days_before(ends).plus(if ends == 0 { HOUR } else { 0 });
            let (serial, subject) = (format!("4F:{:02X}:A1", 16 + n), subject.to_owned());
            self.estate.records.certificates.push(Certificate { serial, subject, issued: clock::days_before(issued), ends, revoked });
        }
        let on = |serial: &str, shown: &str| Subject {
            system: "pki".to_owned(),
            shown: format!("certificate of {shown}"),
            native_id: serial.to_owned(),
            account: None,
        };
        self.find(check, on("4F:11:A1", "billing"), State::Open, "ended 35 days before and was neither renewed nor revoked");
        self.find(check, on("4F:12:A1", "search"), State::New, "ended three days before the last export");
        let near = &mut self.answers;
        near.near(check, "pki", "certificate of mail", "ended 55 days before, and revoked");
        near.near(check, "pki", "certificate of ci", "ends one hour after the export");
    }

    fn tickets(&mut self) -> io::Result<()> {
        let temporary = |beneficiary: String, system: &str, entitlement: &str, from: i64, to: i64| Request {
            id: String::new(),
            action: "Add",
            beneficiary,
            system: system.to_owned(),
            entitlement: entitlement.to_owned(),
            decision: "Approved",
            requested: clock::noon(from + 2),
            decided: Some(clock::noon(from + 1)),
            closed: Some(clock::noon(from)),
            valid_to: Some(clock::days_before(to)),
        };
        let revoke = |beneficiary: String, system: &str, entitlement: &str, asked: i64, closed: Option<i64>| Request {
            id: String::new(),
            action: "Remove",
            beneficiary,
            system: system.to_owned(),
            entitlement: entitlement.to_owned(),
            decision: "Approved",
            requested: clock::noon(asked),
            decided: Some(clock::noon(asked)),
            closed: closed.map(clock::days_before),
            valid_to: None,
        };
        // Access for a time.
        let check = "expired-temporary-access";
        for (login, group, from, to) in [
            ("lorenzo.fabbrini", "DL Warehouse Read", 60, 20),
            ("giulia.ferrante", "DL Ledger Write", 50, 5),
            ("cormac.dunleavey", "DL Aurora Write", 40, 0),
        ] {
            let request = temporary(self.number(login), AD, group, from, to);
            self.estate.records.requests.push(request);
            self.ad(login)?.groups.push(Edge::from(group, clock::noon(from)));
        }
        let subject = self.edge(AD, "lorenzo.fabbrini", "DL Warehouse Read");
        self.find(check, subject, State::Open, "approved until 20 days before the last export, and still there");
        let subject = self.edge(AD, "giulia.ferrante", "DL Ledger Write");
        self.find(check, subject, State::New, "approved until five days before the last export, and still there");
        self.answers.near(
            check,
            AD,
            "cormac.dunleavey -> DL Aurora Write",
            "its approval ends at the last export: the day of grace has begun",
        );
        // Access that was to go.
        let check = "revoke-ticket-closed-access-live";
        let severin = self.number("severin.kluth");
        let mut closed = revoke(severin.clone(), AD, "GG Finance", 30, Some(25));
        closed.id = "REQ-69001".to_owned();
        let mut offboard = revoke(self.number("tadhg.moriartan"), CRM, "", 33, Some(31));
        offboard.id = "REQ-69002".to_owned();
        self.ad("severin.kluth")?.groups.push(Edge::from("DL Offers Write", clock::noon(100)));
        let fresh = revoke(severin.clone(), AD, "DL Offers Write", 5, Some(0));
        let open = revoke(severin, CRM, "viewer", 8, None);
        self.estate.records.requests.extend([closed, offboard, fresh, open]);
        let mut subject = self.edge(AD, "severin.kluth", "GG Finance");
        subject.shown = format!("REQ-69001: {}", subject.shown);
        subject.native_id = format!("REQ-69001: {}", subject.native_id);
        self.find(check, subject, State::Open, "the ticket was closed 25 days before the last export, the membership is still there");
        let mut subject = self.on(CRM, "tadhg.moriartan@corp.example");
        subject.account = Some(subject.native_id.clone());
        subject.shown = format!("REQ-69002: {}", subject.shown);
        subject.native_id = format!("REQ-69002: {}", subject.native_id);
        self.find_possible(check, subject, State::Open, "the ticket to close the account was closed 31 days before, and it is active");
        let near = &mut self.answers;
        near.near(check, AD, "severin.kluth -> DL Offers Write", "the ticket was closed at the last export: the day of grace has begun");
        near.near(check, CRM, "severin.kluth -> viewer", "the ticket is open");
        Ok(())
    }

    fn systems(&mut self) {
        let on = |name: &str| Subject { system: name.to_owned(), shown: name.to_owned(), native_id: name.to_owned(), account: None };
        self.find("system-without-source", on("payroll"), State::Open, "in scope, and nobody exports it");
        self.find("source-incomplete", on("payroll"), State::Open, "in scope, and nobody exports it");
        self.answers.near("system-without-source", "erp-archive", "erp-archive", "nobody exports it, and it is out of scope");
        let exception = |id: &str| Subject { system: "*".to_owned(), shown: id.to_owned(), native_id: id.to_owned(), account: None };
        self.find("exception-unreviewed", exception("EX-001"), State::Open, "accepted 200 days before and not looked at since");
        self.answers.near("exception-unreviewed", "*", "EX-004", "accepted 266 days before, and reviewed ten days before");
    }
}
