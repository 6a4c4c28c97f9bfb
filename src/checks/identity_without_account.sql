-- ---
-- id = "identity-without-account"
-- title = "Active person without any account"
-- severity = "low"
-- confidence = "medium"
-- grain = "run"
-- subject = "identity"
-- needs = ["accounts", "identities"]
-- message = "`{identity_name}` is active and no account of any system seen belongs to them"
-- description = """
-- An active person to whom no account was linked. Either access was never given, or, worse, their account was not
-- recognised and its end will not be noticed. People who started within the grace time are too new; a person who
-- is one of several candidates is possible."""
-- remedy = """
-- Check that the account exists and that correlation can see it: an unmatched account hides in the orphans. If the
-- person needs none, nothing is to be done."""
-- false_positives = """
-- People who need no account, and systems whose exports are not among the sources."""
-- controls = [
--     "nist-800-53:AC-2", "nist-csf:PR.AA-01", "iso-27001:5.16", "soc2:CC6.2", "ccm:IAM-03"]
-- [parameters.grace]
-- type = "days"
-- default = "14d"
-- doc = "days after the start in which an account may still be on its way"
-- ---
SELECT i.identity_ix AS identity_ix,
    CASE
        WHEN i.accounts_linked > 0 THEN 'ok'
        WHEN i.active_since IS NOT NULL AND i.observed_at - i.active_since <= :grace THEN 'too_new'
        ELSE 'finding'
    END AS outcome,
    CASE WHEN i.accounts_disputed > 0 THEN 'possible' ELSE 'certain' END AS certainty,
    i.display_name AS identity_name, i.employee_number AS employee_number, i.email AS email, i.org_unit AS org_unit,
    i.accounts_linked AS accounts_linked, i.accounts_disputed AS accounts_disputed, i.active_since AS since
FROM identities_seen i
WHERE i.standing = 'active' AND i.kind = 'person'
