-- ---
-- id = "use-after-termination"
-- title = "Account used after its owner had left"
-- severity = "critical"
-- confidence = "high"
-- grain = "account"
-- subject = "account"
-- needs = ["accounts", "identities"]
-- message = "account `{login}` was used at {last_used_at}, after its owner had left by {left_by}"
-- description = """
-- The newest sign of use of an account lies after the end of everybody to whom it may belong (certain), or of some of
-- them (possible). It is reported whether or not the account still works. An end of which only the interval is known
-- counts from its last instant. Use within the grace period is put down to sessions that were still open. Use that
-- the system records only with a lag is unknown while the lag reaches past the end; an account without any record of
-- use is unknown."""
-- remedy = """
-- Treat it as an incident: disable the account, find out who used it and what for, and keep the logs."""
-- false_positives = """
-- Use by a successor or by a mailbox rule under the leaver's name; a session that was open on the last day and is
-- counted when it ends."""
-- controls = [
--     "nist-800-53:PS-4", "nist-800-53:AU-6", "nist-csf:DE.CM-03", "iso-27001:6.5", "iso-27001:8.16", "soc2:CC6.2",
--     "soc2:CC7.2", "pci-dss:8.2.5", "ccm:IAM-07"]
-- [parameters.grace]
-- type = "hours"
-- default = "4h"
-- doc = "hours after the end within which use is put down to sessions that were still open"
-- ---
WITH held AS (
    SELECT c.system_ix AS system_ix, c.account_ix AS account_ix, COUNT(*) AS candidates,
        COUNT(*) FILTER (WHERE c.standing = 'left') AS gone, MIN(c.left_by) AS first_left_by, MAX(c.left_by) AS left_by
    FROM candidates c
    WHERE c.identity_kind IN ('person', 'external')
    GROUP BY c.system_ix, c.account_ix
)
SELECT a.system_ix AS system_ix, a.account_ix AS account_ix,
    CASE
        WHEN h.gone = 0 THEN 'ok'
        WHEN a.last_used_at - h.first_left_by > :grace THEN 'finding'
        WHEN a.use_state = 'unknown' THEN 'unknown'
        WHEN a.last_used_until - h.first_left_by > :grace THEN 'unknown'
        WHEN a.use_state = 'not_in_window' AND (a.use_window_from IS NULL OR a.use_window_from > h.first_left_by) THEN 'unknown'
        ELSE 'ok'
    END AS outcome,
    CASE WHEN h.gone = h.candidates AND a.last_used_at - h.left_by > :grace THEN 'certain' ELSE 'possible' END AS certainty,
    a.login AS login, a.status AS status, a.last_used_at AS last_used_at, h.first_left_by AS left_by,
    h.first_left_by AS since, h.candidates AS candidates, h.gone AS candidates_left, a.use_state AS use_state,
    a.can_authenticate AS can_authenticate
FROM accounts a
JOIN held h ON h.system_ix = a.system_ix AND h.account_ix = a.account_ix
WHERE a.kind <> 'system' AND a.kind <> 'device'
