//! The closed sets of words that columns hold. A word that is not in its set is refused at the door of the store.

/// A closed set of lower-case words, stored as text.
pub trait Word: Sized + Copy + 'static {
    /// Every member, in the order of the documentation.
    const ALL: &'static [Self];
    /// The stored spelling.
    fn as_str(self) -> &'static str;
    /// Its place in `ALL`.
    fn code(self) -> u8 {
        Self::ALL.iter().position(|w| w.as_str() == self.as_str()).and_then(|at| u8::try_from(at).ok()).unwrap_or(u8::MAX)
    }
    /// The member spelt `text`.
    fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|w| w.as_str() == text)
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $first:ident = $first_text:literal, $($variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { #[default] $first, $($variant),* }
        impl Word for $name {
            const ALL: &'static [Self] = &[Self::$first, $(Self::$variant),*];
            fn as_str(self) -> &'static str {
                match self { Self::$first => $first_text, $(Self::$variant => $text),* }
            }
            fn code(self) -> u8 {
                self as u8
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(self.as_str()) }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> { s.serialize_str(self.as_str()) }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(d)?;
                Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!(
                    "`{text}` is not one of {}", Self::ALL.iter().map(|w| w.as_str()).collect::<Vec<_>>().join(", "))))
            }
        }
    };
}

words!(
    /// What sort of principal an account is, as far as the connector knows for certain.
    AccountKind {
        Unknown = "unknown", Human = "human", Service = "service", Workload = "workload", Agent = "agent", Role = "role",
        Shared = "shared", External = "external", System = "system", Device = "device",
    }
);
words!(
    /// What told an account's kind.
    KindFrom { None = "none", Registry = "registry", Connector = "connector", Pattern = "pattern" }
);
words!(
    /// The account's own state in its system.
    AccountStatus {
        Unknown = "unknown", Active = "active", Disabled = "disabled", Locked = "locked", Expired = "expired",
        Pending = "pending", Deleted = "deleted",
    }
);
words!(
    /// What a source says of use. `not_in_window`: not used since `use_window_from`, which is not the same as never.
    UseState { Unknown = "unknown", Used = "used", Never = "never", NotInWindow = "not_in_window", NotApplicable = "not_applicable" }
);
words!(
    /// What a source says of a second factor.
    MfaState { Unknown = "unknown", Yes = "yes", No = "no", NotApplicable = "not_applicable" }
);
words!(
    /// How much an entitlement lets its holder do.
    Level { Unknown = "unknown", None = "none", Read = "read", Write = "write", Admin = "admin" }
);
words!(
    /// How access lies to the roles that are due to whoever holds it. `no_role`: none is due, so nothing can be said.
    Fit { NoRole = "no_role", Outside = "outside", Partly = "partly", Inside = "inside" }
);
words!(
    /// Whether access began before an instant.
    Began { Unknown = "unknown", Before = "before", After = "after" }
);
words!(
    /// What the principal of an edge is. Only `account` and `group` have an ordinal; the rest keep their own text.
    PrincipalKind {
        Account = "account", Group = "group",
        // Named, but neither an account nor a group of this export.
        Unresolved = "unresolved",
        // A principal that the vendor shows by its dead unique id (AWS `AIDA…`, `AROA…`).
        Deleted = "deleted",
        // Named by an id that belongs to another system or tenant: it could not be in this export.
        External = "external",
        Wildcard = "wildcard", Root = "root", Federated = "federated", Service = "service",
    }
);
words!(
    /// How a membership came about. `primary`: closure only, never something to remove. `assume`: may assume the role.
    MembershipKind { Direct = "direct", Primary = "primary", Dynamic = "dynamic", Assume = "assume" }
);
words!(
    /// What a grant does. `boundary` limits and grants nothing.
    Effect { Allow = "allow", Deny = "deny", Boundary = "boundary" }
);
words!(
    /// The kinds of credential, each a life cycle of its own.
    CredentialKind {
        Password = "password", AccessKey = "access_key", ApiToken = "api_token", ClientSecret = "client_secret",
        Certificate = "certificate", SshKey = "ssh_key", VaultSecret = "vault_secret", ServiceCredential = "service_credential",
    }
);
words!(
    /// Whether a credential would be accepted.
    CredentialStatus { Unknown = "unknown", Active = "active", Inactive = "inactive", Expired = "expired", Pending = "pending", Deleted = "deleted" }
);
words!(
    /// People and registered non-humans.
    IdentityKind { Person = "person", Workload = "workload", Agent = "agent", External = "external" }
);
words!(
    /// What the authority says of the identity's standing. `suspended` is leave: not left.
    IdentityStatus { Unknown = "unknown", Active = "active", Suspended = "suspended", Left = "left", Prehire = "prehire" }
);
words!(
    /// Whether a people list holds everybody it ever knew, or only those who are here.
    Population { All = "all", ActiveOnly = "active-only" }
);
words!(
    /// How a record of a file is counted.
    RecordUnit { Line = "line", Record = "record" }
);
words!(
    /// How an account relates to the authorities (docs/architecture.md, correlation).
    MatchState {
        // Nobody fits.
        Orphan = "orphan",
        Linked = "linked",
        // Several candidates, or one that is possible and not certain.
        Disputed = "disputed",
        // Every candidate has left.
        Ghost = "ghost",
        // A non-human with no registry entry.
        Unregistered = "unregistered",
        // Registered, and its owner is gone.
        Unowned = "unowned",
        // Younger than the authority's knowledge.
        TooNew = "too_new",
        // Vendor-made or a device: counted, never reconciled.
        NotApplicable = "not_applicable",
        // No authority covers its kind.
        NotEvaluated = "not_evaluated",
    }
);
words!(
    /// An identity's standing at one instant, read from its employments.
    Standing { Unknown = "unknown", Active = "active", Suspended = "suspended", Left = "left", NotStarted = "not_started" }
);
words!(
    /// What the policies of one principal, taken together, put at risk.
    PrincipalRisk {
        Unknown = "unknown", Admin = "admin", PrivilegeEscalation = "privilege-escalation", CredentialAccess = "credential-access",
        DataExfiltration = "data-exfiltration", ResourceExposure = "resource-exposure",
    }
);
words!(
    /// How sure the judgement of a principal's policies is. `latent`: open, and nothing in the export gains by it.
    Verdict { Unknown = "unknown", Certain = "certain", Possible = "possible", Latent = "latent" }
);
words!(
    /// Answers of fact.
    Answer { Unknown = "unknown", Yes = "yes", No = "no" }
);
words!(
    /// What became of one finding since the previous run.
    FindingState {
        New = "new", Open = "open", Excepted = "excepted", Resolved = "resolved", Reopened = "reopened", Unverified = "unverified",
    }
);
words!(
    /// Severity of a check.
    Severity { Info = "info", Low = "low", Medium = "medium", High = "high", Critical = "critical" }
);
words!(
    /// The severity from which findings make an exit code; `none`: none do.
    Threshold { None = "none", Info = "info", Low = "low", Medium = "medium", High = "high", Critical = "critical" }
);

impl Threshold {
    /// As the least severity that counts.
    pub fn severity(self) -> Option<Severity> {
        match self {
            Self::None => None,
            Self::Info => Some(Severity::Info),
            Self::Low => Some(Severity::Low),
            Self::Medium => Some(Severity::Medium),
            Self::High => Some(Severity::High),
            Self::Critical => Some(Severity::Critical),
        }
    }
}
words!(
    /// True for every candidate, or for some only.
    Certainty { Certain = "certain", Possible = "possible" }
);
words!(
    /// What a finding is about.
    SubjectKind {
        Account = "account", Credential = "credential", Edge = "edge", Identity = "identity", Source = "source",
        Exception = "exception", Request = "request", Rule = "rule",
    }
);
words!(
    /// How a check ended.
    OutcomeKind { Evaluated = "evaluated", NotEvaluated = "not_evaluated", Failed = "failed" }
);
words!(
    /// What a request asks for.
    RequestAction { Unknown = "unknown", Grant = "grant", Change = "change", Revoke = "revoke" }
);
words!(
    /// Where a ticket stands. `cancelled`: withdrawn, nothing was to be done.
    TicketState { Unknown = "unknown", Open = "open", Closed = "closed", Cancelled = "cancelled" }
);
words!(
    /// What was decided on a request.
    Decision { Unknown = "unknown", Pending = "pending", Approved = "approved", Rejected = "rejected" }
);
words!(
    /// What a review decided.
    ReviewDecision { Unknown = "unknown", Pending = "pending", Keep = "keep", Change = "change", Revoke = "revoke" }
);
words!(
    /// What a workflow was to do.
    WorkflowAction { Unknown = "unknown", Provision = "provision", Change = "change", Revoke = "revoke" }
);
words!(
    /// Who decided: a rule, a person, or a person against the rule.
    WorkflowMode { Unknown = "unknown", Automatic = "automatic", Manual = "manual", Override = "override" }
);
words!(
    /// What became of a workflow's step.
    WorkflowOutcome { Unknown = "unknown", Pending = "pending", Success = "success", Failure = "failure" }
);
words!(
    /// What a change between two snapshots is about.
    ChangeObject { Account = "account", Credential = "credential", Membership = "membership", Grant = "grant" }
);
words!(
    /// What became of it. `not_comparable`: the snapshots do not let anyone say.
    Change {
        Added = "added", Removed = "removed", Changed = "changed",
        // The same native id, another generation: another thing.
        Recreated = "recreated",
        // Not in the snapshot before, and in an earlier one.
        Regranted = "regranted",
        NotComparable = "not_comparable",
    }
);
words!(
    /// What the requests say of one grant or membership (rule 11.10).
    ApprovalState {
        // No request log speaks of the system.
        NotCovered = "not_covered",
        // It may have begun outside the time that the log covers, and no request approves it.
        BeforeCoverage = "before_coverage",
        // No request is for it.
        Nothing = "none",
        Approved = "approved",
        // A ticket for the account that names no right.
        AccountLevel = "account_level",
        // The approval had ended before the access began.
        Expired = "expired",
        // The approval came after the access began.
        Late = "late",
        Pending = "pending",
        Rejected = "rejected",
    }
);
