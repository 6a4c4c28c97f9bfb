//! Exceptions: which of them apply, which are void and why, and which match nothing.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use crate::model::*;

/// (system, login) → native ids of the accounts with that login: of the logins that the exceptions name.
pub type Logins = BTreeMap<(String, String), BTreeSet<String>>;

/// What decides about exceptions, beside the findings themselves.
#[derive(Debug)]
pub struct Register<'a> {
    pub as_of: Time,
    pub exceptions: &'a [ExceptionRow],
    pub identities: &'a [RunIdentityRow],
    pub logins: &'a Logins,
    /// Exceptions that earlier runs met, with the `as_of` of the first.
    pub first_seen: &'a BTreeMap<String, Time>,
}

/// Applies the register to the findings and says what became of each exception.
pub fn apply(register: &Register<'_>, findings: &mut [FindingRow]) -> Vec<ExceptionMatchRow> {
    let mut out = Vec::new();
    let named = Named::new(register);
    let called = Called::new(register, findings);
    for e in register.exceptions {
        let is_named = |f: &FindingRow| super::is_live(f.state) && register.names(e, f);
        let mut matched = called.by(e, findings.len());
        matched.retain(|i| findings.get(*i).is_some_and(is_named));
        let people: BTreeSet<String> = matched
            .iter()
            .filter_map(|i| findings.get(*i))
            .filter_map(|f| f.identity.clone())
            .flat_map(|i| i.split(" | ").map(str::to_owned).collect::<Vec<_>>())
            .collect();
        let (status, why) = register.judge(&named, e, &people, matched.is_empty());
        if status == "applies" {
            for i in &matched {
                if let Some(f) = findings.get_mut(*i) {
                    f.state = FindingState::Excepted;
                    f.exception = Some(e.exception.clone());
                }
            }
        }
        out.push(ExceptionMatchRow {
            exception: e.exception.clone(),
            status: status.to_owned(),
            why,
            findings: u32::try_from(matched.len()).unwrap_or(u32::MAX),
            check_id: e.check_id.clone(),
            system: e.system.clone(),
            subject: e.subject.clone(),
            owner: e.owner.clone(),
            approver: e.approver.clone(),
            valid_from: e.valid_from,
            expires_at: e.expires_at,
            first_seen: register.first_seen.get(&e.exception).copied().unwrap_or(register.as_of),
        });
    }
    out.sort_by(|a, b| a.exception.cmp(&b.exception));
    out
}

impl Register<'_> {
    fn judge(&self, named: &Named<'_>, e: &ExceptionRow, people: &BTreeSet<String>, unmatched: bool) -> (&'static str, Option<String>) {
        if let Some(why) = void(named, e, people) {
            return ("void", Some(why));
        }
        let expires = e.expires_at.unwrap_or_default();
        if expires <= self.as_of {
            return ("expired", Some(format!("ended at {expires}")));
        }
        if let Some(from) = e.valid_from.filter(|f| *f > self.as_of) {
            return ("not_yet", Some(format!("starts at {from}")));
        }
        if unmatched {
            return ("unmatched", Some("no finding of this run is named by it".to_owned()));
        }
        ("applies", None)
    }

    /// Whether an exception names a finding.
    fn names(&self, e: &ExceptionRow, f: &FindingRow) -> bool {
        let is = |want: &str, have: &str| want == "*" || want == have;
        is(&e.check_id, &f.check_id) && is(&e.system, &f.system) && self.subject(e, f) && edge(e, f) && candidate(e, f)
    }

    fn subject(&self, e: &ExceptionRow, f: &FindingRow) -> bool {
        if e.subject == "*" || native(f).any(|id| id == e.subject) {
            return true;
        }
        // A login counts only where it names exactly one account of the system.
        let Some(login) = text::norm(&e.subject) else { return false };
        match self.logins.get(&(f.system.clone(), login)) {
            Some(ids) if ids.len() == 1 => f.account.as_ref().is_some_and(|a| ids.contains(a)),
            _ => false,
        }
    }
}

/// Why an exception is void whatever its dates say.
fn void(named: &Named<'_>, e: &ExceptionRow, people: &BTreeSet<String>) -> Option<String> {
    if e.expires_at.is_none() {
        return Some("it has no end".to_owned());
    }
    let missing = [("owner", &e.owner), ("approver", &e.approver), ("reason", &e.reason)];
    if let Some((name, _)) = missing.iter().find(|(_, v)| v.as_deref().is_none_or(|t| t.trim().is_empty())) {
        return Some(format!("it names no {name}"));
    }
    let approver = named.of(e.approver.as_deref()?);
    let [approver] = approver else {
        return Some(format!("its approver resolves to {} identities, not to one", approver.len()));
    };
    if approver.standing != Standing::Active {
        return Some(format!("its approver is not active (`{}`)", approver.standing));
    }
    let same = |reference: &Option<String>| {
        reference.as_deref().is_some_and(|r| named.of(r).iter().any(|i| i.identity_ix == approver.identity_ix))
            || reference.is_some() && text::norm_opt(reference.as_deref()) == text::norm_opt(e.approver.as_deref())
    };
    if same(&e.owner) {
        return Some("its approver is its owner".to_owned());
    }
    if same(&e.beneficiary) || (e.beneficiary.is_none() && people.contains(&approver.identity)) {
        return Some("its approver gains by it".to_owned());
    }
    None
}

/// Identities that the references of a register name: native id, employee number, address or full name; the first of these that is
/// anybody's decides.
#[derive(Debug, Default)]
struct Named<'a>(BTreeMap<&'a str, Vec<&'a RunIdentityRow>>);

impl<'a> Named<'a> {
    /// Goes through the identities at most three times, however many references there are.
    fn new(register: &Register<'a>) -> Self {
        let references = register.exceptions.iter().flat_map(|e| [&e.approver, &e.owner, &e.beneficiary]);
        let mut open: BTreeSet<&str> = references.filter_map(|r| r.as_deref()).collect();
        let mut named = Self::default();
        let exact: BTreeMap<String, Vec<&'a str>> = open.iter().map(|r| ((*r).to_owned(), vec![*r])).collect();
        named.add(register.identities, &exact, |i| {
            let number = i.employee_number.as_deref().filter(|number| *number != i.identity);
            [Some(i.identity.as_str()), number].map(|t| t.map(Cow::Borrowed))
        });
        let columns: [fn(&RunIdentityRow) -> &Option<String>; 2] = [|i| &i.email, |i| &i.display_name];
        for column in columns {
            open.retain(|r| !named.0.contains_key(r));
            let mut folded: BTreeMap<String, Vec<&'a str>> = BTreeMap::new();
            for reference in &open {
                if let Some(text) = text::norm(reference) {
                    folded.entry(text).or_default().push(reference);
                }
            }
            named.add(register.identities, &folded, |i| [column(i).as_deref().and_then(text::folded), None]);
        }
        named
    }

    /// Those of the wanted references whose text is among those of an identity, in the order of the identities.
    fn add(
        &mut self,
        identities: &'a [RunIdentityRow],
        wanted: &BTreeMap<String, Vec<&'a str>>,
        texts: impl Fn(&'a RunIdentityRow) -> [Option<Cow<'a, str>>; 2] + Sync,
    ) {
        if wanted.is_empty() {
            return;
        }
        let meant = |i: &'a RunIdentityRow| {
            texts(i).iter().flatten().filter_map(|t| wanted.get(t.as_ref())).flatten().map(|r| (*r, i)).collect::<Vec<_>>()
        };
        let found: Vec<(&'a str, &'a RunIdentityRow)> = identities.par_iter().flat_map_iter(meant).collect();
        for (reference, identity) in found {
            self.0.entry(reference).or_default().push(identity);
        }
    }

    fn of(&self, reference: &str) -> &[&'a RunIdentityRow] {
        self.0.get(reference).map(Vec::as_slice).unwrap_or_default()
    }
}

/// The ids by which an exception may call a finding.
fn native(f: &FindingRow) -> impl Iterator<Item = &str> {
    [Some(&f.subject), f.account.as_ref(), f.principal.as_ref(), f.identity.as_ref()].into_iter().flatten().map(String::as_str)
}

/// The findings that exceptions may mean, by what they call them: each exception looks at its own only.
#[derive(Debug, Default)]
struct Called {
    by_id: BTreeMap<String, Vec<usize>>,
    /// By the login of their account, where it names that one alone.
    by_login: BTreeMap<String, Vec<usize>>,
}

impl Called {
    fn new(register: &Register<'_>, findings: &[FindingRow]) -> Self {
        let subjects = register.exceptions.iter().map(|e| &e.subject).filter(|s| *s != "*");
        let mut called = Self { by_id: subjects.map(|s| (s.clone(), Vec::new())).collect(), by_login: BTreeMap::new() };
        if called.by_id.is_empty() {
            return called;
        }
        let mut logins: BTreeMap<(&str, &str), Vec<&String>> = BTreeMap::new();
        for ((system, login), accounts) in register.logins.iter().filter(|(_, accounts)| accounts.len() == 1) {
            accounts.iter().for_each(|account| logins.entry((system, account)).or_default().push(login));
        }
        for (i, f) in findings.iter().enumerate() {
            for id in native(f) {
                if let Some(of_id) = called.by_id.get_mut(id) {
                    of_id.push(i);
                }
            }
            for login in f.account.iter().filter_map(|account| logins.get(&(f.system.as_str(), account.as_str()))).flatten() {
                called.by_login.entry((*login).clone()).or_default().push(i);
            }
        }
        called
    }

    /// Findings among which are those that an exception names, ascending; `all`: how many there are.
    fn by(&self, e: &ExceptionRow, all: usize) -> Vec<usize> {
        if e.subject == "*" {
            return (0..all).collect();
        }
        let of_login = text::norm(&e.subject).and_then(|login| self.by_login.get(&login));
        let found: BTreeSet<usize> = [self.by_id.get(&e.subject), of_login].into_iter().flatten().flatten().copied().collect();
        found.into_iter().collect()
    }
}

/// An edge needs its entitlement; anything else must not name one.
fn edge(e: &ExceptionRow, f: &FindingRow) -> bool {
    match (&e.entitlement, f.subject_kind) {
        (Some(want), SubjectKind::Edge) => want == "*" || f.target.as_ref() == Some(want) || f.target_name.as_ref() == Some(want),
        (None, SubjectKind::Edge) => false,
        (Some(want), _) => want == "*",
        (None, _) => true,
    }
}

/// A possible finding is excepted only by a record that names the candidate.
fn candidate(e: &ExceptionRow, f: &FindingRow) -> bool {
    match f.certainty {
        Certainty::Certain => true,
        Certainty::Possible => {
            e.candidate.as_ref().is_some_and(|c| f.identity.as_ref().is_some_and(|i| i.split(" | ").any(|one| one == c)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(n: i64) -> Time {
        Time::from_seconds(1_790_000_000 + n * 86_400).unwrap()
    }

    fn person(ix: u32, id: &str, standing: Standing) -> RunIdentityRow {
        RunIdentityRow { identity_ix: ix, identity: id.into(), standing, ..RunIdentityRow::default() }
    }

    fn exception() -> ExceptionRow {
        ExceptionRow {
            exception: "EX-1".into(),
            check_id: "ghost-account".into(),
            system: "ad".into(),
            subject: "guid-1".into(),
            owner: Some("own".into()),
            approver: Some("boss".into()),
            reason: Some("handover".into()),
            valid_from: Some(day(0)),
            expires_at: Some(day(10)),
            ..ExceptionRow::default()
        }
    }

    fn finding() -> FindingRow {
        FindingRow {
            check_id: "ghost-account".into(),
            system: "ad".into(),
            subject: "guid-1".into(),
            account: Some("guid-1".into()),
            identity: Some("gone".into()),
            ..FindingRow::default()
        }
    }

    fn run(e: ExceptionRow, mut f: FindingRow, as_of: Time) -> (String, Option<String>, FindingState) {
        let mail = |row: RunIdentityRow, mail: &str| RunIdentityRow { email: Some(mail.into()), ..row };
        let identities = [
            mail(person(0, "boss", Standing::Active), "Boss@Example.com"),
            person(1, "own", Standing::Active),
            person(2, "gone", Standing::Left),
            person(3, "on-leave", Standing::Suspended),
            mail(person(4, "twin-1", Standing::Active), "twin@example.com"),
            mail(person(5, "twin-2", Standing::Active), "twin@example.com"),
        ];
        let logins = BTreeMap::from([
            (("ad".to_owned(), "alice".to_owned()), BTreeSet::from(["guid-1".to_owned()])),
            (("ad".to_owned(), "twice".to_owned()), BTreeSet::from(["guid-1".to_owned(), "guid-2".to_owned()])),
        ]);
        let first_seen = BTreeMap::new();
        let exceptions = [e];
        let register = Register { as_of, exceptions: &exceptions, identities: &identities, logins: &logins, first_seen: &first_seen };
        let mut findings = [std::mem::take(&mut f)];
        let out = apply(&register, &mut findings);
        (out[0].status.clone(), out[0].why.clone(), findings[0].state)
    }

    #[test]
    fn rule_11_11_applies_from_its_first_instant_up_to_its_end() {
        assert_eq!(run(exception(), finding(), day(0)), ("applies".into(), None, FindingState::Excepted));
        assert_eq!(run(exception(), finding(), day(10)).0, "expired");
        assert_eq!(run(exception(), finding(), Time::from_micros(day(0).micros() - 1).unwrap()).0, "not_yet");
    }

    #[test]
    fn rule_11_11_what_voids_an_exception() {
        let void = |change: fn(&mut ExceptionRow)| {
            let mut e = exception();
            change(&mut e);
            let (status, why, state) = run(e, finding(), day(1));
            assert_eq!((status.as_str(), state), ("void", FindingState::New));
            why.unwrap()
        };
        assert_eq!(void(|e| e.expires_at = None), "it has no end");
        assert_eq!(void(|e| e.approver = None), "it names no approver");
        assert_eq!(void(|e| e.reason = Some(" ".into())), "it names no reason");
        assert_eq!(void(|e| e.approver = Some("nobody".into())), "its approver resolves to 0 identities, not to one");
        assert_eq!(void(|e| e.approver = Some("gone".into())), "its approver is not active (`left`)");
        assert_eq!(void(|e| e.owner = None), "it names no owner");
        assert_eq!(void(|e| e.approver = Some("twin@example.com".into())), "its approver resolves to 2 identities, not to one");
        assert_eq!(void(|e| e.approver = Some("on-leave".into())), "its approver is not active (`suspended`)");
        assert_eq!(void(|e| e.owner = Some("boss".into())), "its approver is its owner");
        assert_eq!(void(|e| e.owner = Some("boss@example.com".into())), "its approver is its owner", "however it is spelt");
        assert_eq!(void(|e| e.beneficiary = Some("BOSS".into())), "its approver gains by it");
        assert_eq!(void(|e| e.beneficiary = Some("boss@example.com".into())), "its approver gains by it");
        // Void whatever its dates say, and reported where it names nothing.
        assert_eq!(void(|e| (e.expires_at, e.approver) = (Some(day(-1)), None)), "it names no approver");
        assert_eq!(run(ExceptionRow { reason: None, subject: "other".into(), ..exception() }, finding(), day(1)).0, "void");
        // Without a beneficiary it is for whom the finding is about.
        let own = FindingRow { identity: Some("gone | boss".into()), ..finding() };
        assert_eq!(run(exception(), own, day(1)), ("void".into(), Some("its approver gains by it".into()), FindingState::New));
    }

    #[test]
    fn rule_11_11_a_login_counts_only_if_it_names_one_account() {
        let by = |subject: &str| run(ExceptionRow { subject: subject.into(), ..exception() }, finding(), day(1)).0;
        assert_eq!(by("Alice"), "applies");
        assert_eq!(by("twice"), "unmatched");
        assert_eq!(by("*"), "applies");
    }

    #[test]
    fn rule_11_11_edges_need_their_entitlement_and_possible_findings_their_candidate() {
        let edge = FindingRow { subject_kind: SubjectKind::Edge, target: Some("g1".into()), ..finding() };
        assert_eq!(run(exception(), edge.clone(), day(1)).0, "unmatched");
        assert_eq!(run(ExceptionRow { entitlement: Some("g1".into()), ..exception() }, edge, day(1)).0, "applies");
        let possible = FindingRow { certainty: Certainty::Possible, ..finding() };
        assert_eq!(run(exception(), possible.clone(), day(1)).0, "unmatched");
        assert_eq!(run(ExceptionRow { candidate: Some("gone".into()), ..exception() }, possible, day(1)).0, "applies");
    }

    #[test]
    fn rule_11_11_check_system_and_subject_must_all_fit() {
        let status = |change: fn(&mut ExceptionRow)| {
            let mut e = exception();
            change(&mut e);
            run(e, finding(), day(1)).0
        };
        assert_eq!(status(|e| e.check_id = "orphan-account".into()), "unmatched");
        assert_eq!(status(|e| e.system = "crm".into()), "unmatched");
        assert_eq!(status(|e| e.subject = "guid-2".into()), "unmatched");
        assert_eq!(status(|e| e.entitlement = Some("g1".into())), "unmatched", "an account is no edge");
        assert_eq!(status(|e| (e.check_id, e.system, e.subject) = ("*".into(), "*".into(), "*".into())), "applies");
        let edge = |entitlement: &str| {
            let f =
                FindingRow { subject_kind: SubjectKind::Edge, target: Some("g1".into()), target_name: Some("Admins".into()), ..finding() };
            run(ExceptionRow { entitlement: Some(entitlement.into()), ..exception() }, f, day(1)).0
        };
        assert_eq!(["g1", "Admins", "*", "g2"].map(edge), ["applies", "applies", "applies", "unmatched"]);
        let candidate = |c: &str| {
            let f = FindingRow { certainty: Certainty::Possible, identity: Some("gone | on-leave".into()), ..finding() };
            run(ExceptionRow { candidate: Some(c.into()), ..exception() }, f, day(1)).0
        };
        assert_eq!(["gone", "on-leave", "own", "*"].map(candidate), ["applies", "applies", "unmatched", "unmatched"]);
    }

    /// Every exception against every finding and every identity, one after another.
    fn plainly(register: &Register<'_>, findings: &mut [FindingRow]) -> Vec<(String, String, u32)> {
        let named = |reference: &str| -> Vec<&RunIdentityRow> {
            let wanted = text::norm(reference);
            let all = register.identities.iter();
            let keyed: Vec<_> =
                all.clone().filter(|i| i.identity == reference || i.employee_number.as_deref() == Some(reference)).collect();
            let mail: Vec<_> = all.clone().filter(|i| wanted.is_some() && text::norm_opt(i.email.as_deref()) == wanted).collect();
            let name: Vec<_> = all.filter(|i| wanted.is_some() && text::norm_opt(i.display_name.as_deref()) == wanted).collect();
            [keyed, mail, name].into_iter().find(|found| !found.is_empty()).unwrap_or_default()
        };
        let mut out = Vec::new();
        for e in register.exceptions {
            let fits = |f: &FindingRow| super::super::is_live(f.state) && register.names(e, f);
            let matched: Vec<usize> = (0..findings.len()).filter(|i| fits(&findings[*i])).collect();
            let people =
                matched.iter().filter_map(|i| findings[*i].identity.as_deref()).flat_map(|i| i.split(" | ")).map(str::to_owned).collect();
            let references = [&e.approver, &e.owner, &e.beneficiary].into_iter().flatten().map(String::as_str);
            let one = Named(references.map(|r| (r, named(r))).collect());
            let (status, _) = register.judge(&one, e, &people, matched.is_empty());
            if status == "applies" {
                matched
                    .iter()
                    .for_each(|i| (findings[*i].state, findings[*i].exception) = (FindingState::Excepted, Some(e.exception.clone())));
            }
            out.push((e.exception.clone(), status.to_owned(), matched.len() as u32));
        }
        out.sort();
        out
    }

    fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
        proptest::sample::select(texts).prop_map(str::to_owned)
    }

    const PEOPLE: &[&str] = &["p1", "P1", "7", "mail@x", "Mail@X ", "Ann Ash", "ann  ash", "nobody"];

    fn identities() -> impl Strategy<Value = Vec<RunIdentityRow>> {
        let of =
            (one_of(&["p1", "p2", "7"]), proptest::option::of(one_of(&["7", "p1"])), proptest::option::of(one_of(PEOPLE)), any::<bool>());
        proptest::collection::vec(of, 0..6).prop_map(|rows| {
            let row = |(ix, (id, number, text, mail)): (u32, (String, Option<String>, Option<String>, bool))| RunIdentityRow {
                employee_number: number,
                email: text.clone().filter(|_| mail),
                display_name: text.filter(|_| !mail),
                ..person(ix, &id, if ix == 4 { Standing::Left } else { Standing::Active })
            };
            (0..).zip(rows).map(row).collect()
        })
    }

    proptest! {
        /// Looking only at the findings and identities that are called gives what looking at all gives.
        #[test]
        fn exceptions_apply_as_if_each_were_held_against_everything(
            identities in identities(),
            findings in proptest::collection::vec((one_of(&["ad", "crm"]), one_of(&["a", "b", "key"]), one_of(&["a", "b"]), one_of(&["p1", "p1 | p2"])), 0..12),
            exceptions in proptest::collection::vec(
                (one_of(&["ad", "*"]), one_of(&["a", "b", "key", "p1", "*", "ANN", "bob"]), one_of(PEOPLE), one_of(PEOPLE), proptest::option::of(one_of(PEOPLE))),
                0..8,
            ),
        ) {
            let logins = Logins::from([
                (("ad".to_owned(), "ann".to_owned()), BTreeSet::from(["a".to_owned()])),
                (("crm".to_owned(), "ann".to_owned()), BTreeSet::from(["b".to_owned()])),
                (("ad".to_owned(), "bob".to_owned()), BTreeSet::from(["a".to_owned(), "b".to_owned()])),
            ]);
            let found = |(system, subject, account, identity): &(String, String, String, String)| FindingRow {
                system: system.clone(),
                subject: subject.clone(),
                account: Some(account.clone()),
                identity: Some(identity.clone()),
                ..finding()
            };
            let mut findings: Vec<FindingRow> = findings.iter().map(found).collect();
            let of = |(n, (system, subject, owner, approver, beneficiary)): (usize, (String, String, String, String, Option<String>))| {
                let (owner, approver) = (Some(owner), Some(approver));
                ExceptionRow { exception: format!("EX-{n}"), system, subject, owner, approver, beneficiary, ..exception() }
            };
            let exceptions: Vec<ExceptionRow> = exceptions.into_iter().enumerate().map(of).collect();
            let first_seen = BTreeMap::new();
            let register =
                Register { as_of: day(1), exceptions: &exceptions, identities: &identities, logins: &logins, first_seen: &first_seen };
            let mut plain = findings.clone();
            let want = plainly(&register, &mut plain);
            let got = apply(&register, &mut findings);
            prop_assert_eq!(got.into_iter().map(|e| (e.exception, e.status, e.findings)).collect::<Vec<_>>(), want);
            prop_assert_eq!(findings, plain);
        }
    }
}
