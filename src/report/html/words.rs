//! The words that the page uses in a sense of its own.

/// Each word and its meaning, in the order of the page.
pub const WORDS: &[(&str, &str)] = &[
    ("as of", "The instant that the audit speaks of. It is given, or derived from the newest snapshot; never read from a clock."),
    ("observed", "The instant that a system's export shows. Ages and deadlines of its accounts are judged there."),
    ("complete", "Neither cut off nor below a control total nor much smaller than before, and rejected records within the limit."),
    ("not evaluated", "The export does not cover what the check needs. It is not the same as no findings."),
    ("certain", "True whoever the account belongs to."),
    ("possible", "True for some of the people who may own the account. Shown apart: 12 up to 14 means 12 certain and 2 possible."),
    ("live", "New, open, reopened or unverified: what counts."),
    ("new", "Not seen in any earlier run."),
    ("open", "Seen before and still there."),
    ("reopened", "Was resolved and is back."),
    ("unverified", "Seen before; this run could not look again. It counts as open."),
    ("excepted", "Somebody accepted it for a time, and the exception applies."),
    ("resolved", "Seen before; a complete and fresh export shows that it is gone."),
    ("also", "A further finding about a subject that another check reports already. Kept, not counted."),
    ("linked", "An account with exactly one person or registered workload behind it."),
    ("disputed", "An account that several identities may own, or one that only may."),
    ("orphan", "An account that no identity fits."),
    ("ghost", "An account of somebody who has left."),
    ("unregistered", "A non-human account without a registry entry."),
    ("unowned", "A registered non-human account whose owner is gone."),
    ("too new", "Younger than the question, or than what the authority can know."),
    ("not yet observable", "The fact took effect after the account was observed, so the export cannot show what followed."),
    ("before coverage", "It began before the log that would answer."),
    ("fingerprint", "What names a finding in every run, whatever its names, lines or severity."),
];
