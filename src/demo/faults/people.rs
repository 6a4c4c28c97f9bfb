//! Faults about people: accounts that outlived their owners, that have none, or that nobody uses.

use std::io;

use super::{AD, CRM, DEV, LDAP, MENDED, PROD, Planting, day, for_one_week, keep};
use crate::demo::answers::{State, Subject};
use crate::demo::aws::{Console, Key, User};
use crate::demo::life::{Edge, Habit, Spans, cut_all};
use crate::demo::{ad, app, clock, openldap};
use crate::model::Time;
use crate::model::time::HOUR;

/// A leaver's domain account that was not disabled.
struct Ghost {
    login: &'static str,
    state: State,
    /// Its groups were not taken away either.
    groups: bool,
    why: &'static str,
}

const GHOSTS: &[Ghost] = &[
    Ghost {
        login: "ottilie.brandvold",
        state: State::Open,
        groups: true,
        why: "left 40 days before; the account works, its groups are still there, and somebody uses it",
    },
    Ghost { login: "iwona.piatkow", state: State::New, groups: true, why: "left on the Wednesday before the last export" },
    Ghost {
        login: "bram.verhulsten",
        state: State::Reopened,
        groups: false,
        why: "left 60 days before; disabled for one export, then enabled again",
    },
    Ghost {
        login: "saskia.lindroth",
        state: State::Resolved,
        groups: true,
        why: "left 37 days before; disabled and emptied three days before the last export",
    },
    Ghost {
        login: "wanjiru.kamandeh",
        state: State::Excepted,
        groups: false,
        why: "left 20 days before; EX-009 accepts it for a handover",
    },
];

impl Planting<'_> {
    pub(super) fn ghosts(&mut self) -> io::Result<()> {
        for ghost in GHOSTS {
            let user = self.ad(ghost.login)?;
            keep(&mut user.life);
            if ghost.groups {
                user.groups.iter_mut().for_each(|edge| edge.spans.stay());
            }
            match ghost.state {
                State::Reopened => user.life.disabled = for_one_week(),
                State::Resolved => {
                    user.life.disabled = Spans::from(clock::days_before(MENDED));
                    cut_all(&mut user.groups, clock::days_before(MENDED));
                }
                _ => {}
            }
            let subject = self.on(AD, ghost.login);
            self.find("ghost-account", subject, ghost.state, ghost.why);
            let password = self.password(AD, ghost.login);
            self.find("leaver-live-credential", password, ghost.state, "the password of that account");
            self.unremoved_edges(AD, ghost.login, true, ghost.state, "a group of that account");
            // That somebody used it stays true when the account is disabled.
            let used = match ghost.state {
                State::Resolved | State::Reopened => State::Open,
                state => state,
            };
            let subject = self.on(AD, ghost.login);
            self.find("use-after-termination", subject, used, "somebody goes on using that account");
        }
        self.unix_ghost()?;
        self.cloud_ghost()?;
        self.application_ghost()
    }

    pub(super) fn unix_ghost(&mut self) -> io::Result<()> {
        let login = "renzo.calabrini";
        let user = self.ldap(login)?;
        keep(&mut user.life);
        user.groups.iter_mut().for_each(|edge| edge.spans.stay());
        let (subject, password) = (self.on(LDAP, login), self.password(LDAP, login));
        self.find("ghost-account", subject, State::Open, "left 25 days before; disabled in the domain, forgotten in the Unix directory");
        self.find("leaver-live-credential", password, State::Open, "the password of that account");
        self.unremoved_edges(LDAP, login, true, State::Open, "a group of that account");
        let subject = self.on(LDAP, login);
        self.find("use-after-termination", subject, State::Open, "somebody goes on using that account");
        Ok(())
    }

    pub(super) fn cloud_ghost(&mut self) -> io::Result<()> {
        let login = "henrike.osterlohn";
        let user = self.prod(login)?;
        keep(&mut user.life);
        user.groups.iter_mut().for_each(|edge| edge.spans.stay());
        user.console = Some(Console { habit: Habit::Until(day(31)), mfa: true, off: Spans::never() });
        user.keys = vec![Key { habit: Habit::Regular, ..Key::left(day(64)) }];
        let (subject, password, key) = (self.on(PROD, login), self.password(PROD, login), self.key(PROD, login, 0)?);
        self.find("ghost-account", subject, State::Open, "left 30 days before; the user was not deleted, and its key is still used");
        self.find("leaver-live-credential", password, State::Open, "the console password of that user");
        self.find("leaver-live-credential", key, State::Open, "the access key of that user");
        self.unremoved_edges(PROD, login, true, State::Open, "a group of that user");
        let subject = self.on(PROD, login);
        self.find("use-after-termination", subject, State::Open, "its key is still used");
        Ok(())
    }

    /// The application shows no credentials, so whether it lets anybody in is not known for certain.
    pub(super) fn application_ghost(&mut self) -> io::Result<()> {
        let login = "tadhg.moriartan@corp.example";
        let user = self.crm(login)?;
        keep(&mut user.life);
        user.roles.iter_mut().for_each(|edge| edge.spans.stay());
        let subject = self.on(CRM, login);
        self.find_possible("ghost-account", subject, State::Open, "left 33 days before; nobody told the owners of the application");
        self.unremoved_edges(CRM, login, true, State::Open, "a role of that account");
        let subject = self.on(CRM, login);
        self.find("use-after-termination", subject, State::Open, "somebody goes on signing in");
        Ok(())
    }

    /// Leavers, and people who look like leavers, with nothing left to take away.
    pub(super) fn quiet_leavers(&mut self) -> io::Result<()> {
        let expired = clock::days_before(15);
        let user = self.ad("vera.kolmanova")?;
        keep(&mut user.life);
        user.life.habit = Habit::Until(expired);
        user.expires = Some(expired);
        let user = self.prod("milan.hruska")?;
        let left = user.life.removed.unwrap_or(expired);
        keep(&mut user.life);
        user.console = Some(Console { habit: Habit::Regular, mfa: true, off: Spans::from(left) });
        user.keys = vec![Key { inactive: Spans::from(left), ..Key::left(day(100)) }];
        let near = &mut self.answers;
        near.near(
            "ghost-account",
            AD,
            "till.ebersold",
            "the last day is the day of the export: not yet over when the account was observed",
        );
        near.near("ghost-account", AD, "vera.kolmanova", "left, and the account expired with the last day");
        near.near("use-after-termination", AD, "vera.kolmanova", "used until an hour after the last day: a session that was still open");
        near.near("ghost-account", AD, "rosa.delgadillo", "left 200 days before and came back 118 days before");
        near.near("leaver-live-credential", AD, "rosa.delgadillo password", "left once, but works here again");
        near.near("leaver-live-credential", AD, "vera.kolmanova password", "the account expired, so the password opens nothing");
        near.near(
            "leaver-live-credential",
            PROD,
            "milan.hruska",
            "left; the user is still there without password, and its key is inactive",
        );
        near.near("ghost-account", PROD, "milan.hruska", "left; nothing is left to sign in with");
        near.near("leaver-access-unremoved", AD, "ulf.sandersen", "left; disabled, and only the primary group remains");
        Ok(())
    }

    pub(super) fn leaves(&mut self) -> io::Result<()> {
        keep(&mut self.ad("noor.haddadin")?.life);
        keep(&mut self.ldap("emre.yildizer")?.life);
        let (noor, emre) = (self.on(AD, "noor.haddadin"), self.on(LDAP, "emre.yildizer"));
        self.find("leave-live-access", noor, State::Open, "on leave for 25 days; the account works");
        self.find("leave-live-access", emre, State::Open, "on leave for 18 days; locked in the domain, not in the Unix directory");
        let near = &mut self.answers;
        near.near("leave-live-access", AD, "jin.seoyang", "the leave starts in three days");
        near.near("leave-live-access", AD, "paavo.niemela", "came back from leave five days before");
        near.near("leave-live-access", AD, "agnes.tothfalu", "on leave, and the account is disabled");
        Ok(())
    }

    pub(super) fn unremoved(&mut self) -> io::Result<()> {
        let login = "dieter.hohlbein";
        let user = self.ad(login)?;
        user.life.removed = None;
        user.groups.push(Edge::from("DL Ledger Write", day(300)));
        user.groups.push(Edge::from("GG Project Aurora", day(200)));
        // The set of groups is fixed by hand, so that it does not hang on chance.
        user.groups.retain(|edge| ["GG Finance", "DL Ledger Write", "GG Project Aurora"].contains(&edge.target.as_str()));
        user.groups.iter_mut().for_each(|edge| edge.spans.stay());
        for name in ["GG Finance", "DL Ledger Write", "GG Project Aurora"] {
            let (state, why) = if name == "GG Finance" {
                (State::Excepted, "left 51 days before; EX-002 accepts this group until the year is closed")
            } else {
                (State::Open, "left 51 days before; the account was disabled and its groups forgotten")
            };
            let subject = self.edge(AD, login, name);
            self.find("leaver-access-unremoved", subject, state, why);
        }
        let login = "leila.mansourian@corp.example";
        self.crm(login)?.roles.iter_mut().for_each(|edge| edge.spans.stay());
        self.unremoved_edges(CRM, login, true, State::Open, "left 45 days before; the account is inactive and keeps its role");
        Ok(())
    }

    pub(super) fn orphans(&mut self) {
        let mut site = ad::blank("ext.bauleitung", ad::Class::Person, day(210));
        site.cn = "Bauleitung Extern".to_owned();
        site.groups = vec![Edge::from("GG VPN", day(210))];
        self.estate.ad.add(site);
        let mut help = ad::blank("m.aushilfe", ad::Class::Person, day(5));
        help.cn = "Aushilfe Empfang".to_owned();
        self.estate.ad.add(help);
        let mut fresh = ad::blank("t.neuling", ad::Class::Person, clock::end().plus(-10 * HOUR));
        fresh.cn = "Neuling Empfang".to_owned();
        self.estate.ad.add(fresh);
        let mut lab = openldap::blank("labuser7", day(300));
        lab.cn = "Lab bench 7".to_owned();
        lab.groups = vec![Edge::from("docker", day(300))];
        self.estate.ldap.add(lab);
        let mut helper = User::blank("contractor-kw", "/", day(150));
        helper.console = Some(Console { habit: Habit::Regular, mfa: false, off: Spans::never() });
        helper.groups = vec![Edge::from("readers", day(150))];
        self.estate.prod.users.push(helper);
        self.application("portal@harbor-partners.example", "Harbor Partners Portal", day(220), "viewer");
        self.application("trial-admin@vendor.example", "Vendor Trial", day(100), "administrator");
        if let Some(user) = self.estate.crm.user_mut("trial-admin@vendor.example") {
            user.life.removed = Some(clock::days_before(MENDED));
        }
        for (system, login, state, why) in [
            (AD, "ext.bauleitung", State::Open, "made for a site office; nobody of the list fits (EX-007 is void: its approver has left)"),
            (AD, "m.aushilfe", State::New, "made five days before the last export, for nobody of the list"),
            (LDAP, "labuser7", State::Open, "a shared bench login"),
            (PROD, "contractor-kw", State::Open, "a contractor whom the list never held"),
            (CRM, "portal@harbor-partners.example", State::Open, "a partner's login"),
            (CRM, "trial-admin@vendor.example", State::Resolved, "a vendor's trial, deleted three days before the last export"),
        ] {
            let subject = self.on(system, login);
            self.find("orphan-account", subject, state, why);
        }
        let near = &mut self.answers;
        near.near("orphan-account", AD, "t.neuling", "made ten hours before the export: too new to judge");
        near.near("orphan-account", AD, "svc-backup", "a service account, which is nobody's own");
        near.near("orphan-account", AD, "Administrator", "made by the vendor");
        near.near("orphan-account", AD, "WS001$", "a computer");
    }

    pub(super) fn application(&mut self, login: &str, name: &str, created: Time, role: &str) {
        let email = if login.contains('@') { login } else { "" };
        let mut user = app::blank(login, name, email, created);
        user.roles.push(Edge::from(role, created));
        self.estate.crm.users.push(user);
    }

    pub(super) fn without_account(&mut self) {
        for (login, why) in [
            ("kalani.akanaeo", "works here for 90 days without any account"),
            ("sunniva.ekrem", "works here for 120 days without any account"),
        ] {
            let number = self.number(login);
            let subject = Subject { system: "hr".to_owned(), shown: login.to_owned(), native_id: number, account: None };
            self.find("identity-without-account", subject, State::Open, why);
        }
        let near = &mut self.answers;
        near.near("identity-without-account", "hr", "ilse.vandermolen", "starts in five days");
        near.near("identity-without-account", "hr", "dario.quintela", "started two days before: the account may be on its way");
    }

    pub(super) fn number(&self, login: &str) -> String {
        self.estate.people.iter().find(|person| person.login == login).map(|person| person.number.clone()).unwrap_or_default()
    }

    pub(super) fn disputed(&mut self) -> io::Result<()> {
        let check = "disputed-correlation";
        self.application("khartmund", "Katrin Hartmund", day(190), "seller");
        if let Some(user) = self.estate.crm.user_mut("khartmund") {
            user.email = "k.hartmund@hartmund-mail.example".to_owned();
        }
        self.application("anna.bergstroem@corp.example", "Anna Bergström", day(300), "seller");
        self.application("mzielonka", "Marek Zielonka", day(290), "agent");
        let mut single = User::blank("pvasquero", "/", day(140));
        single.console = Some(Console { habit: Habit::Regular, mfa: true, off: Spans::never() });
        single.groups = vec![Edge::from("readers", day(140))];
        self.estate.prod.users.push(single);
        for (system, login, why) in [
            (CRM, "khartmund", "two people have this name, and nothing else fits"),
            (CRM, "anna.bergstroem@corp.example", "the address was given to a second person of the same name after the first had left"),
            (CRM, "mzielonka", "two people have this name, and both have left"),
            (PROD, "pvasquero", "one person fits, by initial and family name only"),
        ] {
            let subject = self.on(system, login);
            self.find(check, subject, State::Open, why);
        }
        let anna = self.on(CRM, "anna.bergstroem@corp.example");
        self.find_possible("ghost-account", anna, State::Open, "if the account is the first one's, she has left");
        self.unremoved_edges(CRM, "anna.bergstroem@corp.example", false, State::Open, "if the account is the first one's, she has left");
        let anna = self.on(CRM, "anna.bergstroem@corp.example");
        self.find_possible("use-after-termination", anna, State::Open, "if the account is the first one's, it was used after she had left");
        let marek = self.on(CRM, "mzielonka");
        self.find_possible(
            "ghost-account",
            marek,
            State::Open,
            "both have left; whether the application lets anybody in is not in its export",
        );
        self.unremoved_edges(CRM, "mzielonka", true, State::Open, "whichever of the two it is, he has left");
        let marek = self.on(CRM, "mzielonka");
        self.find("use-after-termination", marek, State::Open, "used after both had left");
        let near = &mut self.answers;
        near.near(check, CRM, "jonas.weidlich@corp.example", "two people have this name, and the address decides");
        near.near(check, AD, "katrin.hartmund", "two people have this name, and the employee number decides");
        Ok(())
    }

    pub(super) fn dormant(&mut self) -> io::Result<()> {
        self.ad("bogdan.ilicev")?.life.habit = Habit::Until(day(140));
        self.ad("svc-reportgen")?.life.habit = Habit::Until(day(200));
        self.ad("oskar.lindegaard")?.life.habit = Habit::Gap(day(130), day(4));
        self.ad("hanne.dahlberget")?.life.habit = Habit::Until(day(97));
        self.ad("pia.norbergius")?.life.habit = Habit::Never;
        self.ldap("yuki.tanabeya")?.life.habit = Habit::Until(day(130));
        self.crm("flora.benedettin@corp.example")?.life.habit = Habit::Until(day(125));
        self.crm("cormac.dunleavey@corp.example")?.life.habit = Habit::Until(day(94));
        let ruta = self.prod("ruta.kazlauskait")?;
        ruta.console = Some(Console { habit: Habit::Until(day(150)), mfa: true, off: Spans::never() });
        ruta.keys.clear();
        let check = "dormant-account";
        for (system, login, state, why) in [
            (AD, "bogdan.ilicev", State::Open, "last logon 140 days before, two weeks of replication allowed for"),
            (AD, "svc-reportgen", State::Open, "last logon 200 days before; EX-006 ran out"),
            (AD, "oskar.lindegaard", State::Resolved, "not used for four months, then again four days before the last export"),
            (LDAP, "yuki.tanabeya", State::Open, "last bind 130 days before"),
            (PROD, "ruta.kazlauskait", State::Open, "last sign-in 150 days before, and no key"),
        ] {
            let subject = self.on(system, login);
            self.find(check, subject, state, why);
        }
        for (login, state, why) in [
            ("flora.benedettin@corp.example", State::Open, "last login 125 days before"),
            ("cormac.dunleavey@corp.example", State::New, "last login 94 days before: the limit was passed since the export before"),
        ] {
            let subject = self.on(CRM, login);
            self.find_possible(check, subject, state, why);
        }
        let expired = Subject { system: "*".to_owned(), shown: "EX-006".to_owned(), native_id: "EX-006".to_owned(), account: None };
        self.find("exception-expired", expired, State::Open, "ended twelve days before; `svc-reportgen` is still dormant");
        let near = &mut self.answers;
        near.near(check, AD, "hanne.dahlberget", "last logon 97 days before by a time that may lag two weeks");
        near.near(check, AD, "pia.norbergius", "never used, and only 40 days old");
        near.near(check, AD, "Guest", "never used, and disabled");
        near.near(check, DEV, "svc-ci-dev", "without its credential report the account's use is unknown, which is not dormant");
        near.near("exception-expired", CRM, "EX-008", "ended the day before, and the finding is gone as well");
        Ok(())
    }
}
