//! Security ids that Windows defines: what they are, and what membership in their groups confers.

use crate::connectors::Principal;
use crate::model::Level;

/// Domain of a SID `S-1-5-21-…-RID`, and the RID. `None` for any other SID.
pub fn domain_and_rid(sid: &str) -> Option<(&str, u32)> {
    let (domain, rid) = sid.rsplit_once('-')?;
    let inside = domain.strip_prefix("S-1-5-21-")?.split('-').count() == 3;
    inside.then_some((domain, rid.parse().ok()?))
}

/// Whether a SID is made with every domain or machine: RID under 1000, or in the `Builtin` container.
pub fn vendor_made(sid: &str) -> bool {
    builtin_rid(sid).is_some() || domain_and_rid(sid).is_some_and(|(_, rid)| rid < 1000)
}

fn builtin_rid(sid: &str) -> Option<u32> {
    sid.strip_prefix("S-1-5-32-")?.parse().ok()
}

/// What membership in a group confers by itself.
///
/// `admin`: control of the domain, its controllers or its accounts, at once or by one documented step. `write`: changes
/// things short of that. `read`: sees what others do not. `none`: what everybody has. All other groups are `unknown`.
pub fn level(sid: &str) -> Level {
    if let Some(rid) = builtin_rid(sid) {
        return match rid {
            // Administrators, Account Operators, Server Operators, Backup Operators, Hyper-V Administrators.
            544 | 548 | 549 | 551 | 578 => Level::Admin,
            // Power Users, Print Operators, Replicator, Remote Desktop Users, Network Configuration Operators,
            // Incoming Forest Trust Builders, Distributed COM Users, Cryptographic Operators, Remote Management Users.
            547 | 550 | 552 | 555 | 556 | 557 | 562 | 569 | 580 => Level::Write,
            // Pre-Windows 2000 Compatible Access, Performance Monitor and Log Users, Windows Authorization Access,
            // Event Log Readers.
            554 | 558 | 559 | 560 | 573 => Level::Read,
            // Users, Guests, IIS_IUSRS.
            545 | 546 | 568 => Level::None,
            _ => Level::Unknown,
        };
    }
    match domain_and_rid(sid).map(|(_, rid)| rid) {
        // Domain Admins, Domain Controllers, Schema Admins, Enterprise Admins, Key Admins, Enterprise Key Admins.
        Some(512 | 516 | 518 | 519 | 526 | 527) => Level::Admin,
        // Cert Publishers, Group Policy Creator Owners.
        Some(517 | 520) => Level::Write,
        // Enterprise Read-only and Read-only Domain Controllers, RAS and IAS Servers.
        Some(498 | 521 | 553) => Level::Read,
        // Domain Users, Domain Guests, Domain Computers, Protected Users, Denied RODC Password Replication.
        Some(513 | 514 | 515 | 525 | 572) => Level::None,
        _ => Level::Unknown,
    }
}

/// The principal behind a foreign security principal's SID: nobody in particular, the system itself, or an account or
/// group of another domain.
pub fn principal(sid: &str) -> Principal {
    match sid {
        // Everyone, Network, Interactive, Anonymous, Authenticated Users, This Organization.
        "S-1-1-0" | "S-1-5-2" | "S-1-5-4" | "S-1-5-7" | "S-1-5-11" | "S-1-5-15" => Principal::Wildcard(sid.to_owned()),
        _ if sid.starts_with("S-1-5-21-") => Principal::External(sid.to_owned()),
        _ => Principal::Service(sid.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_come_from_the_rid_and_not_from_a_name() {
        for (sid, want) in [
            ("S-1-5-21-1-2-3-512", Level::Admin),
            ("S-1-5-21-1-2-3-513", Level::None),
            ("S-1-5-21-1-2-3-520", Level::Write),
            ("S-1-5-21-1-2-3-1512", Level::Unknown),
            ("S-1-5-21-1-2-512", Level::Unknown),
            ("S-1-5-32-544", Level::Admin),
            ("S-1-5-32-551", Level::Admin),
            ("S-1-5-32-550", Level::Write),
            ("S-1-5-32-573", Level::Read),
            ("S-1-5-32-545", Level::None),
        ] {
            assert_eq!(level(sid), want, "{sid}");
        }
    }

    #[test]
    fn vendor_made_ids_are_under_1000_or_built_in() {
        assert!(vendor_made("S-1-5-21-1-2-3-502") && vendor_made("S-1-5-32-544"));
        assert!(!vendor_made("S-1-5-21-1-2-3-1000") && !vendor_made("S-1-5-11"));
    }

    #[test]
    fn a_well_known_principal_is_no_person() {
        assert_eq!(principal("S-1-5-11"), Principal::Wildcard("S-1-5-11".into()));
        assert_eq!(principal("S-1-5-9"), Principal::Service("S-1-5-9".into()));
        assert_eq!(principal("S-1-5-21-9-9-9-1104"), Principal::External("S-1-5-21-9-9-9-1104".into()));
    }
}
