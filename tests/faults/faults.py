"""What can break, by name. Entering a fault breaks something, leaving it lets it heal.

The tests play each of them alone, and `make chaos` plays them in random sequences.
"""

from __future__ import annotations

from tests.faults.connection_faults import (
    api_behaves,
    api_server_frozen,
    component_killed,
    database_away,
    reports_behave,
    watches,
    watches_told,
)
from tests.faults.hand_faults import (
    annotations_poisoned,
    job_deleted,
    lease_deleted,
    node_killed,
    pod_deleted,
    pod_evicted,
    quota_refuses,
    study_deleted,
    suspended,
)
from tests.faults.operator_faults import (
    clock_jumps,
    killed_after,
    operator_frozen,
    operator_killed,
    operator_terminated,
    two_operators,
)
from tests.faults.stage import Fault
from tests.support.components import API_SERVER, CONTROLLER_MANAGER, ETCD
from tests.support.fault_rules import Answer, Cut, Delay, Hang, LoseAnswer
from tuning_operator.fault_points import Point

WRITES = ("POST", "PUT", "PATCH", "DELETE")
NOT_LEASES = r"^(?!.*/leases)"
"""For outages that the operator is to live through: without its Lease it ends, and starts again."""

FAULTS: dict[str, Fault] = {
    **{f"operator killed after {point}": killed_after(point) for point in Point},
    "operator killed": operator_killed,
    "operator terminated": operator_terminated,
    "operator frozen": operator_frozen,
    "two operators": two_operators,
    "clock an hour ahead": clock_jumps(3600),
    "clock an hour behind": clock_jumps(-3600),
    "API server killed": component_killed(API_SERVER),
    "etcd killed": component_killed(ETCD),
    "controller manager killed": component_killed(CONTROLLER_MANAGER),
    "API server frozen": api_server_frozen,
    "API answers 401": api_behaves(Answer(401)),
    "API answers 403": api_behaves(Answer(403), methods=("GET", "PATCH"), path=NOT_LEASES),
    "API answers 403 to Jobs": api_behaves(Answer(403), methods=("POST",), path="/jobs"),
    "API answers 409": api_behaves(Answer(409), methods=WRITES),
    "API answers 410": api_behaves(Answer(410), methods=("GET",), path=NOT_LEASES),
    "API answers 429": api_behaves(Answer(429, retry_after=1)),
    "API answers 500": api_behaves(Answer(500)),
    "API answers 504": api_behaves(Answer(504)),
    "API answers lost": api_behaves(LoseAnswer(), methods=WRITES),
    "API connections cut": api_behaves(Cut()),
    "API requests hang": api_behaves(Hang()),
    "API requests late": api_behaves(Delay(1.0)),
    "watches ended": watches(lambda stage: stage.api_proxy.end_streams()),
    "watches silenced": watches(lambda stage: stage.api_proxy.silence_streams()),
    "watches told 410": watches_told(410),
    "watches told 500": watches_told(500),
    "report answers lost": reports_behave(LoseAnswer()),
    "report connections cut": reports_behave(Cut()),
    "reports hang": reports_behave(Hang()),
    "database away": database_away,
    "Job deleted": job_deleted,
    "pod deleted": pod_deleted,
    "pod evicted": pod_evicted,
    "node killed": node_killed,
    "quota refuses Jobs": quota_refuses,
    "annotations poisoned": annotations_poisoned,
    "study suspended": suspended,
    "study deleted": study_deleted,
    "Lease deleted": lease_deleted,
}
"""Every kind by its name."""
