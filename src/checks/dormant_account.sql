-- ---
-- id = "dormant-account"
-- title = "Account that nobody uses"
-- severity = "medium"
-- confidence = "medium"
-- grain = "account"
-- subject = "account"
-- needs = ["accounts"]
-- message = "account `{login}` would be let in and was not used for more than the permitted time"
-- covered_by = ["ghost-account", "orphan-account"]
-- description = """
-- The account would be let in and its newest sign of use is older than the limit, or it was never used and is
-- older than the limit. Where the source says its figure may lag, the lag is added first. No information about use
-- is unknown, never dormant and never fine."""
-- remedy = """
-- Ask the owner; disable the account if it is not needed."""
-- false_positives = """
-- Break-glass accounts, which are idle on purpose: except them. Use that the export does not record (another
-- domain controller, another protocol)."""
-- controls = [
--     "nist-800-53:AC-2(3)", "nist-csf:PR.AA-05", "iso-27001:5.18", "soc2:CC6.2", "pci-dss:8.2.6", "cis:5.3"]
-- [parameters.stale_after]
-- type = "days"
-- default = "90d"
-- doc = "days without use after which an account is dormant"
-- ---
SELECT a.system_ix AS system_ix, a.account_ix AS account_ix,
    CASE
        WHEN a.use_state = 'used' AND a.observed_at - COALESCE(a.last_used_until, a.last_used_at) > :stale_after THEN 'finding'
        WHEN a.use_state = 'used' THEN 'ok'
        WHEN a.use_state = 'never' AND a.created_at IS NULL THEN 'unknown'
        WHEN a.use_state = 'never' AND a.observed_at - a.created_at > :stale_after THEN 'finding'
        WHEN a.use_state = 'never' THEN 'too_new'
        WHEN a.use_state = 'not_in_window' AND a.use_window_from IS NOT NULL
            AND a.observed_at - a.use_window_from > :stale_after THEN 'finding'
        ELSE 'unknown'
    END AS outcome,
    CASE WHEN a.can_authenticate = 'yes' THEN 'certain' ELSE 'possible' END AS certainty,
    a.login AS login, a.status AS status, a.kind AS kind, a.use_state AS use_state, a.last_used_at AS last_used_at,
    a.last_used_until AS last_used_until, a.use_window_from AS use_window_from, a.created_at AS created_at,
    a.can_authenticate AS can_authenticate,
    COALESCE(a.last_used_until, a.last_used_at, a.use_window_from, a.created_at) AS since
FROM accounts a
WHERE a.can_authenticate <> 'no' AND a.use_state <> 'not_applicable' AND a.kind NOT IN ('system', 'device', 'role')
