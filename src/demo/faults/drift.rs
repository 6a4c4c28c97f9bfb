//! Faults that only several exports and the requests show together: access past the process, access that is back.

use std::io;

use super::{AD, Planting};
use crate::demo::answers::{State, Subject};
use crate::demo::clock;
use crate::demo::life::{Edge, Spans};
use crate::demo::records::{Request, Right};
use crate::model::time::DAY;

impl Planting<'_> {
    /// Access that nobody asked for and that no role gives.
    fn given(&mut self, login: &str, group: &str, spans: Spans, state: State) -> io::Result<()> {
        self.ad(login)?.groups.push(Edge::during(group, spans));
        self.estate.records.unknown.insert((AD.to_owned(), login.to_owned(), group.to_owned()));
        let subject = self.edge(AD, login, group);
        self.find("outside-role-model", subject, state, "no role of the catalogue gives it to its holder");
        Ok(())
    }

    pub(super) fn drift(&mut self) -> io::Result<()> {
        self.out_of_band()?;
        self.privileged()?;
        self.regranted()?;
        self.moved()?;
        self.beside_the_roles()?;
        self.known_secrets();
        Ok(())
    }

    fn out_of_band(&mut self) -> io::Result<()> {
        let check = "out-of-band-grant";
        self.given("paloma.vasquero", "DL Personnel Write", Spans::from(clock::noon(30)), State::Open)?;
        self.given("oskar.lindegaard", "DL Ledger Write", Spans::from(clock::noon(4)), State::New)?;
        self.ad("mechthild.auer")?.groups.push(Edge::from("DL Warehouse Read", clock::noon(32)));
        let subject = self.edge(AD, "paloma.vasquero", "DL Personnel Write");
        self.find(check, subject, State::Open, "given 30 days before, and nobody asked for it");
        let subject = self.edge(AD, "oskar.lindegaard", "DL Ledger Write");
        self.find(check, subject, State::New, "given four days before, and nobody asked for it");
        self.answers.near(check, AD, "mechthild.auer -> DL Warehouse Read", "given 32 days before, and approved the day before that");
        Ok(())
    }

    fn privileged(&mut self) -> io::Result<()> {
        let check = "privileged-unapproved";
        self.given("hanne.dahlberget", "GG Tier0 Admins", Spans::from(clock::noon(20)), State::Open)?;
        self.given("flora.benedettin", "Vault Operators", Spans::from(clock::noon(33)), State::Open)?;
        let asked = |beneficiary: String, entitlement: &str, decision, day: i64| Request {
            id: String::new(),
            action: "Add",
            beneficiary,
            system: AD.to_owned(),
            entitlement: entitlement.to_owned(),
            decision,
            requested: clock::noon(day),
            decided: Some(clock::noon(day).plus(DAY / 4)),
            closed: Some(clock::noon(day).plus(DAY / 4)),
            valid_to: None,
        };
        let rejected = asked(self.number("hanne.dahlberget"), "GG Tier0 Admins", "Rejected", 22);
        let nameless = asked(self.number("flora.benedettin"), "", "Approved", 36);
        self.estate.records.requests.extend([rejected, nameless]);
        let subject = self.edge(AD, "hanne.dahlberget", "GG Tier0 Admins");
        self.find(check, subject.clone(), State::Open, "given two days after the request for it was rejected");
        self.find("out-of-band-grant", subject, State::Open, "given two days after the request for it was rejected");
        self.answers.near(check, AD, "flora.benedettin -> Vault Operators", "a ticket for the account that names no right was approved");
        Ok(())
    }

    fn regranted(&mut self) -> io::Result<()> {
        let check = "regrant";
        let gone = Spans::never().and(clock::noon(100), clock::noon(38));
        let mut back = gone.clone();
        back = back.and(clock::noon(12), clock::end().plus(3_650 * DAY));
        self.given("cormac.dunleavey", "DL Offers Read", back.clone(), State::Open)?;
        self.ad("hanne.dahlberget")?.groups.push(Edge::during("DL Offers Read", back));
        let subject = self.edge(AD, "cormac.dunleavey", "DL Offers Read");
        self.find(check, subject.clone(), State::Open, "taken away 38 days before, and back for twelve days without a request");
        self.find("out-of-band-grant", subject, State::Open, "taken away 38 days before, and back for twelve days without a request");
        self.answers.near(check, AD, "hanne.dahlberget -> DL Offers Read", "taken away and given back, with an approval of its own");
        Ok(())
    }

    fn moved(&mut self) -> io::Result<()> {
        let check = "mover-residual-access";
        self.given("tove.lindqvist", "GG Sales", Spans::from(clock::noon(200)), State::Open)?;
        self.given("bruno.castellan", "GG Finance", Spans::from(clock::noon(200)), State::Open)?;
        let subject = self.edge(AD, "tove.lindqvist", "GG Sales");
        self.find(
            check,
            subject,
            State::New,
            "moved from Sales to Data 40 days before, and kept the group of Sales beyond the time of grace",
        );
        self.answers.near(check, AD, "bruno.castellan -> GG Finance", "moved twenty days before: the time of grace runs");
        Ok(())
    }

    /// Accounts that nobody planted for this, but whose rights no role gives to all of their candidates.
    fn beside_the_roles(&mut self) -> io::Result<()> {
        let check = "outside-role-model";
        for (login, role, why) in [
            ("anna.bergstroem@corp.example", "seller", "one of the two who may own the account is in Support"),
            ("khartmund", "seller", "one of the two who may own the account is in Support"),
            ("mzielonka", "agent", "one of the two who may own the account was in Sales"),
        ] {
            let subject = self.edge(super::CRM, login, role);
            self.find_possible(check, subject, State::Open, why);
        }
        // The trust that lets him become an administrator is access that nobody asked for, too.
        let (user, role) = (self.estate.prod.user_arn("lorenzo.fabbrini"), self.estate.prod.role_arn("incident-response"));
        let trust = super::between(super::PROD, ("lorenzo.fabbrini", &user), ("incident-response", &role));
        for check in ["privileged-unapproved", "out-of-band-grant", check] {
            self.find(check, trust.clone(), State::New, "trusted by the role for some days, without a request and beside every role");
        }
        let holder = self.number("paloma.vasquero");
        self.estate.records.rights.push(Right {
            role: "readers by assignment".to_owned(),
            unit: String::new(),
            holder,
            system: super::PROD,
            entitlement: "readers".to_owned(),
        });
        self.answers.near(check, AD, "mechthild.auer -> DL Warehouse Read", "a role of her own gives it");
        Ok(())
    }

    fn known_secrets(&mut self) {
        let check = "leaver-known-secret-unrotated";
        let on =
            |path: &str| Subject { system: "vault".to_owned(), shown: path.to_owned(), native_id: format!("secret/{path}"), account: None };
        self.find(
            check,
            on("platform/database-root"),
            State::Open,
            "two who could read it left 30 and 26 days before; last changed 210 days before",
        );
        self.find(check, on("platform/dns-api"), State::Open, "changed 29 days before, between the two who could read it and left");
        self.find(check, on("platform/registry-push"), State::Resolved, "changed two days before the last export");
        let near = &mut self.answers;
        near.near(check, "vault", "platform/recovery", "denied to the whole team, though its folder is not");
        near.near(check, "vault", "billing/payment-gateway", "no policy of theirs reaches it");
    }
}
