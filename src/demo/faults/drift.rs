//! Faults that only several exports and the requests show together: access past the process, access that is back.

use std::io;

use super::{AD, Planting};
use crate::demo::answers::State;
use crate::demo::clock;
use crate::demo::life::{Edge, Spans};
use crate::demo::records::Request;
use crate::model::time::DAY;

impl Planting<'_> {
    /// Access that nobody asked for.
    fn given(&mut self, login: &str, group: &str, spans: Spans) -> io::Result<()> {
        self.ad(login)?.groups.push(Edge::during(group, spans));
        self.estate.records.unknown.insert((AD.to_owned(), login.to_owned(), group.to_owned()));
        Ok(())
    }

    pub(super) fn drift(&mut self) -> io::Result<()> {
        self.out_of_band()?;
        self.privileged()?;
        self.regranted()
    }

    fn out_of_band(&mut self) -> io::Result<()> {
        let check = "out-of-band-grant";
        self.given("paloma.vasquero", "DL Personnel Write", Spans::from(clock::noon(30)))?;
        self.given("oskar.lindegaard", "DL Ledger Write", Spans::from(clock::noon(4)))?;
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
        self.given("hanne.dahlberget", "GG Tier0 Admins", Spans::from(clock::noon(20)))?;
        self.given("flora.benedettin", "Vault Operators", Spans::from(clock::noon(33)))?;
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
        self.given("cormac.dunleavey", "DL Offers Read", back.clone())?;
        self.ad("hanne.dahlberget")?.groups.push(Edge::during("DL Offers Read", back));
        let subject = self.edge(AD, "cormac.dunleavey", "DL Offers Read");
        self.find(check, subject.clone(), State::Open, "taken away 38 days before, and back for twelve days without a request");
        self.find("out-of-band-grant", subject, State::Open, "taken away 38 days before, and back for twelve days without a request");
        self.answers.near(check, AD, "hanne.dahlberget -> DL Offers Read", "taken away and given back, with an approval of its own");
        Ok(())
    }
}
