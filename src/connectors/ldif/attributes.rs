//! Which attributes are kept while an entry is read. The rest is checked for form and let go.

use std::sync::LazyLock;

/// Attributes that the readers use, lower case for the search, with the spelling that is shown; sorted: the connector's
/// allow-list.
const KEPT: &[(&str, &str)] = &[
    ("accountexpires", "accountExpires"),
    ("admincount", "adminCount"),
    ("authtimestamp", "authTimestamp"),
    ("cn", "cn"),
    ("comment", "comment"),
    ("company", "company"),
    ("createtimestamp", "createTimestamp"),
    ("department", "department"),
    ("departmentnumber", "departmentNumber"),
    ("description", "description"),
    ("displayname", "displayName"),
    ("dnshostname", "dNSHostName"),
    ("employeeid", "employeeID"),
    ("employeenumber", "employeeNumber"),
    ("employeetype", "employeeType"),
    ("entryuuid", "entryUUID"),
    ("gidnumber", "gidNumber"),
    ("grouptype", "groupType"),
    ("homedirectory", "homeDirectory"),
    ("info", "info"),
    ("iscriticalsystemobject", "isCriticalSystemObject"),
    ("isdeleted", "isDeleted"),
    ("lastknownparent", "lastKnownParent"),
    ("lastlogon", "lastLogon"),
    ("lastlogontimestamp", "lastLogonTimestamp"),
    ("lockouttime", "lockoutTime"),
    ("loginshell", "loginShell"),
    ("mail", "mail"),
    ("managedby", "managedBy"),
    ("manager", "manager"),
    ("member", "member"),
    ("memberof", "memberOf"),
    ("memberuid", "memberUid"),
    ("memberurl", "memberURL"),
    ("modifytimestamp", "modifyTimestamp"),
    ("msds-allowedtodelegateto", "msDS-AllowedToDelegateTo"),
    ("msds-secondarykrbtgtnumber", "msDS-SecondaryKrbTgtNumber"),
    ("msds-user-account-control-computed", "msDS-User-Account-Control-Computed"),
    ("nsaccountlock", "nsAccountLock"),
    ("objectclass", "objectClass"),
    ("objectguid", "objectGUID"),
    ("objectsid", "objectSid"),
    ("operatingsystem", "operatingSystem"),
    ("ou", "ou"),
    ("owner", "owner"),
    ("primarygroupid", "primaryGroupID"),
    ("pwdaccountlockedtime", "pwdAccountLockedTime"),
    ("pwdchangedtime", "pwdChangedTime"),
    ("pwdendtime", "pwdEndTime"),
    ("pwdlastset", "pwdLastSet"),
    ("pwdlastsuccess", "pwdLastSuccess"),
    ("pwdpolicysubentry", "pwdPolicySubentry"),
    ("pwdreset", "pwdReset"),
    ("roleoccupant", "roleOccupant"),
    ("samaccountname", "sAMAccountName"),
    ("samaccounttype", "sAMAccountType"),
    ("serviceprincipalname", "servicePrincipalName"),
    ("shadowexpire", "shadowExpire"),
    ("shadowinactive", "shadowInactive"),
    ("shadowlastchange", "shadowLastChange"),
    ("shadowmax", "shadowMax"),
    ("sidhistory", "sIDHistory"),
    ("sshpublickey", "sshPublicKey"),
    ("title", "title"),
    ("uid", "uid"),
    ("uidnumber", "uidNumber"),
    ("uniquemember", "uniqueMember"),
    ("useraccountcontrol", "userAccountControl"),
    ("userpassword", "userPassword"),
    ("userprincipalname", "userPrincipalName"),
    ("whenchanged", "whenChanged"),
    ("whencreated", "whenCreated"),
];

/// Attributes whose values are secrets: lower case for the search, with the spelling that is shown; sorted.
const SECRETS: &[(&str, &str)] = &[
    ("authpassword", "authPassword"),
    ("clearpassword", "clearPassword"),
    ("currentvalue", "currentValue"),
    ("dbcspwd", "dBCSPwd"),
    ("goauthpassword", "goAuthPassword"),
    ("initialauthincoming", "initialAuthIncoming"),
    ("initialauthoutgoing", "initialAuthOutgoing"),
    ("ipanthash", "ipaNTHash"),
    ("krbprincipalkey", "krbPrincipalKey"),
    ("lmpwdhistory", "lmPwdHistory"),
    ("ms-mcs-admpwd", "ms-Mcs-AdmPwd"),
    ("msds-executescriptpassword", "msDS-ExecuteScriptPassword"),
    ("msds-managedpassword", "msDS-ManagedPassword"),
    ("msfve-keypackage", "msFVE-KeyPackage"),
    ("msfve-recoverypassword", "msFVE-RecoveryPassword"),
    ("mslaps-encrypteddsrmpassword", "msLAPS-EncryptedDSRMPassword"),
    ("mslaps-encryptedpassword", "msLAPS-EncryptedPassword"),
    ("mslaps-encryptedpasswordhistory", "msLAPS-EncryptedPasswordHistory"),
    ("mslaps-password", "msLAPS-Password"),
    ("ntpwdhistory", "ntPwdHistory"),
    ("oathsecret", "oathSecret"),
    ("olcdbbindpw", "olcDbBindpw"),
    ("olcrootpw", "olcRootPW"),
    ("priorvalue", "priorValue"),
    ("pwdhistory", "pwdHistory"),
    ("sambalmpassword", "sambaLMPassword"),
    ("sambantpassword", "sambaNTPassword"),
    ("sambapasswordhistory", "sambaPasswordHistory"),
    ("supplementalcredentials", "supplementalCredentials"),
    ("trustauthincoming", "trustAuthIncoming"),
    ("trustauthoutgoing", "trustAuthOutgoing"),
    ("unicodepwd", "unicodePwd"),
    ("unixuserpassword", "unixUserPassword"),
    ("userpassword", "userPassword"),
    ("userpkcs12", "userPKCS12"),
];

/// The kept attribute of this lower-case name.
pub fn kept(name: &str) -> Option<&'static str> {
    find(&KEPT_BY_LENGTH, name).map(|(lower, _)| *lower)
}

/// How a kept attribute is shown; a name that is not kept stays as it is.
pub fn shown(name: &str) -> &str {
    find(&KEPT_BY_LENGTH, name).map_or(name, |(_, shown)| *shown)
}

/// How the secret attribute of this lower-case name is shown; `None` for an attribute that holds no secret.
pub fn secret(name: &str) -> Option<&'static str> {
    find(&SECRETS_BY_LENGTH, name).map(|(_, shown)| *shown)
}

type Named = (&'static str, &'static str);

/// A list by the length of its names: every line of an export is looked up, and few names have the same length.
type ByLength = Vec<Vec<&'static Named>>;

static KEPT_BY_LENGTH: LazyLock<ByLength> = LazyLock::new(|| by_length(KEPT));
static SECRETS_BY_LENGTH: LazyLock<ByLength> = LazyLock::new(|| by_length(SECRETS));

fn by_length(list: &'static [Named]) -> ByLength {
    let longest = list.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    (0..=longest).map(|len| list.iter().filter(|(name, _)| name.len() == len).collect()).collect()
}

fn find(list: &ByLength, name: &str) -> Option<&'static Named> {
    list.get(name.len())?.iter().find(|(lower, _)| *lower == name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lists_are_sorted_and_lower_case() {
        for list in [KEPT, SECRETS] {
            assert!(list.is_sorted() && list.iter().all(|(n, shown)| *n == shown.to_ascii_lowercase()));
        }
    }

    /// 11.13: of all secrets, only `userPassword` is looked at (for its lock prefix and its fingerprint).
    #[test]
    fn no_other_secret_is_kept() {
        assert_eq!(SECRETS.iter().filter(|(n, _)| kept(n).is_some()).map(|(_, shown)| *shown).collect::<Vec<_>>(), ["userPassword"]);
    }
}
