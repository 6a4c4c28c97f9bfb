-- ---
-- id = "expired-temporary-access"
-- title = "Temporary access past its end"
-- severity = "high"
-- confidence = "high"
-- grain = "account"
-- subject = "edge"
-- needs = ["accounts", "memberships|grants"]
-- covered_by = ["leaver-access-unremoved"]
-- message = "`{login}` still holds `{target_name}`, which was to end at {ended_at}"
-- description = """
-- A grant or own membership whose end has passed by more than the grace time and that the system still shows: by the
-- end of the approval that it rests on (certain), or by its own end alone (possible: the system may refuse it and
-- keep showing it). The population is access that has an end."""
-- remedy = """
-- Take the access away. If it is still needed, have it approved anew with a new end."""
-- false_positives = """
-- Systems that keep rows of past grants as history: leave those rows out of the export or the mapping."""
-- controls = [
--     "nist-800-53:AC-2(2)", "nist-800-53:AC-3(8)", "nist-csf:PR.AA-05", "iso-27001:5.18", "soc2:CC6.3", "pci-dss:7.2.4",
--     "cis:6.2", "ccm:IAM-10"]
-- [parameters.grace]
-- type = "hours"
-- default = "24h"
-- doc = "time after the end in which access may be on its way out"
-- ---
WITH ending AS (
    SELECT x.system_ix AS system_ix, x.account_ix AS account_ix, x.edge AS edge, x.edge_ix AS edge_ix,
        x.target_name AS target_name, x.level AS level, x.granted_at AS granted_at, x.expires_at AS expires_at,
        x.observed_at AS observed_at, p.approval AS approval, p.request AS request, p.request_system_ix AS request_system_ix,
        p.valid_to AS valid_to, p.approver_ref AS approver,
        CASE
            WHEN p.approval = 'approved' AND p.valid_to IS NOT NULL AND (x.expires_at IS NULL OR p.valid_to < x.expires_at) THEN p.valid_to
            ELSE x.expires_at
        END AS ended_at
    FROM access x
    LEFT JOIN approvals p ON p.system_ix = x.system_ix AND p.account_ix = x.account_ix AND p.edge = x.edge AND p.edge_ix = x.edge_ix
)
SELECT e.system_ix AS system_ix, e.account_ix AS account_ix, e.edge AS edge, e.edge_ix AS edge_ix,
    CASE
        WHEN e.observed_at - e.ended_at > :grace THEN 'finding'
        WHEN e.ended_at < e.observed_at THEN 'not_yet_observable'
        ELSE 'ok'
    END AS outcome,
    CASE WHEN e.approval = 'approved' AND e.valid_to = e.ended_at THEN 'certain' ELSE 'possible' END AS certainty,
    a.login AS login, a.status AS status, e.target_name AS target_name, e.level AS level, e.granted_at AS granted_at,
    e.expires_at AS expires_at, e.approval AS approval, e.request AS request, e.request_system_ix AS request_system_ix,
    e.approver AS approver, e.valid_to AS valid_to, e.ended_at AS ended_at, e.ended_at AS since
FROM ending e
JOIN accounts a ON a.system_ix = e.system_ix AND a.account_ix = e.account_ix
WHERE e.ended_at IS NOT NULL AND a.status <> 'deleted'
