#!/usr/bin/env python3
"""Writes the healthy facts documents that scenarios of control-plane checks are merge patches of.

    python3 tests/facts/make.py        writes *.json next to this file; the output is the same, byte for byte, on every run

    aurora.json         Aurora cluster (writer, two readers) on 12.22, deployment to 14.15 ready to be switched over
    aurora-create.json  the same cluster before the deployment is created
    aurora-verify.json  the same deployment after its switchover
    rds.json            RDS instance with a read replica on 15.10, deployment to 16.6 (logical replication)
    rds-create.json     the same instance before the deployment is created
    rds-minor.json      RDS instance on 15.8, deployment to 15.10 (physical replication)
"""

import copy
import json
import pathlib

ACCOUNT, REGION = "123456789012", "eu-west-1"
NOW = "2025-02-03T09:00:00Z"
CREATED = "2025-02-01T20:10:00Z"


def arn(kind, name):
    return f"arn:aws:rds:{REGION}:{ACCOUNT}:{kind}:{name}"


def known(value):
    return {"known": value}


def unknown(why, detail):
    return {"unknown": {"why": why, "detail": detail}}


def parameter(value, source="engine-default", static=False, modifiable=True, allowed=None):
    return {
        "value": value,
        "source": source,
        "apply_type": "static" if static else "dynamic",
        "apply_method": "pending-reboot" if static else "immediate",
        "modifiable": modifiable,
        "allowed": allowed,
    }


STATIC = {
    "max_logical_replication_workers", "max_replication_slots", "max_wal_senders", "max_worker_processes",
    "rds.logical_replication", "shared_preload_libraries", "autovacuum_max_workers",
}
DEFAULTS = {
    "autovacuum_max_workers": "GREATEST({DBInstanceClassMemory/64371566592},3)",
    "default_transaction_read_only": "0",
    "max_logical_replication_workers": None,
    "max_replication_slots": "20",
    "max_slot_wal_keep_size": None,
    "max_wal_senders": "20",
    "max_worker_processes": "GREATEST(${DBInstanceVCPU*2},8)",
    "rds.logical_replication": "0",
    "session_replication_role": "origin",
    "shared_preload_libraries": "pg_stat_statements",
    "statement_timeout": None,
    "synchronous_commit": "on",
    "work_mem": None,
}
AURORA_DEFAULTS = {
    "apg_plan_mgmt.capture_plan_baselines": "off",
    "aurora.enhanced_logical_replication": "0",
    "babelfishpg_tds.tds_default_numeric_precision": "38",
    "babelfishpg_tds.tds_default_numeric_scale": "8",
    "babelfishpg_tsql.default_locale": "en_US",
    "babelfishpg_tsql.migration_mode": "multi-db",
    "babelfishpg_tsql.server_collation_name": "sql_latin1_general_cp1_ci_as",
    "rds.babelfish_status": "off",
    "rds.global_db_rpo": None,
    "rds.logically_replicate_unlogged_tables": "1",
}


def group(name, family, user=None):
    """A group: the family's defaults, and what was set."""
    major = int("".join(c for c in family if c.isdigit()))
    aurora = family.startswith("aurora")
    values = dict(DEFAULTS, **(AURORA_DEFAULTS if aurora else {"recovery_min_apply_delay": None}))
    values["rds.force_ssl"] = "1" if major >= (17 if aurora else 15) else "0"
    values["wal_keep_size" if major >= 13 else "wal_keep_segments"] = None
    parameters = {n: parameter(v, "engine-default" if v is None else "system", n in STATIC) for n, v in values.items()}
    parameters["wal_level"] = parameter("replica", "system", True, False)
    for n, v in (user or {}).items():
        parameters[n] = parameter(v, "user", n in STATIC)
    return known({"name": name, "family": family, "parameters": dict(sorted(parameters.items()))})


LOGICAL = {
    "max_logical_replication_workers": "25",
    "max_replication_slots": "25",
    "max_wal_senders": "25",
    "max_worker_processes": "50",
    "rds.logical_replication": "1",
}


def instance(name, number, engine, version, klass, parameter_group, **over):
    out = {
        "id": name,
        "arn": arn("db", name),
        "resource_id": f"db-{number:04d}ABCDEFGHIJKLMNOPQRSTUV",
        "engine": engine,
        "engine_version": version,
        "status": "available",
        "class": klass,
        "endpoint": f"{name}.cabcdefghijk.{REGION}.rds.amazonaws.com",
        "port": 5432,
        "database_name": "main",
        "master_username": "postgres",
        "parameter_groups": [{"name": parameter_group, "status": "in-sync"}],
        "cluster_id": None,
        "multi_az": False,
        "managed_password": False,
        "iam_authentication": False,
        "storage_encrypted": True,
        "kms_key_id": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555",
        "backup_retention_days": 14,
        "deletion_protection": False,
        "auto_minor_version_upgrade": False,
        "replication_source": None,
        "replication_source_cluster": None,
        "read_replicas": [],
        "read_replica_clusters": [],
        "associated_roles": [],
        "dedicated_log_volume": False,
        "storage_type": "aurora" if engine.startswith("aurora") else "gp3",
        "allocated_storage_gib": 1 if engine.startswith("aurora") else 200,
        "ca_certificate": "rds-ca-rsa2048-g1",
        "certificate_valid_till": "2026-01-20T12:00:00Z",
        "lifecycle_support": "open-source-rds-extended-support",
        "pending_engine_version": None,
        "pending_changes": [],
        "log_exports": [],
        "performance_insights": True,
        "monitoring_interval_seconds": 60,
        "activity_stream": "stopped",
        "storage_status": None,
        "created_at": "2023-03-01T08:00:00Z",
        "status_infos": [],
        "tags": {"team": "shop"},
    }
    out.update(over)
    return out


def cluster(name, number, version, parameter_group, members, **over):
    out = {
        "id": name,
        "arn": arn("cluster", name),
        "resource_id": f"cluster-{number:04d}ABCDEFGHIJKLMNOPQR",
        "engine": "aurora-postgresql",
        "engine_version": version,
        "engine_mode": "provisioned",
        "status": "available",
        "endpoint": f"{name}.cluster-cabcdefghijk.{REGION}.rds.amazonaws.com",
        "reader_endpoint": f"{name}.cluster-ro-cabcdefghijk.{REGION}.rds.amazonaws.com",
        "port": 5432,
        "database_name": "main",
        "master_username": "postgres",
        "parameter_group": parameter_group,
        "members": [
            {"instance_id": m, "writer": n == 0, "parameter_group_status": "in-sync"} for n, m in enumerate(members)
        ],
        "managed_password": False,
        "iam_authentication": False,
        "storage_encrypted": True,
        "kms_key_id": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555",
        "backup_retention_days": 30,
        "deletion_protection": True,
        "replication_source": None,
        "read_replicas": [],
        "associated_roles": [],
        "global_write_forwarding": None,
        "activity_stream": "stopped",
        "lifecycle_support": "open-source-rds-extended-support",
        "scalability_type": "standard",
        "clone_group_id": "22222222-3333-4444-5555-666666666666",
        "vpc_networking": None,
        "storage_type": "aurora",
        "log_exports": ["postgresql"],
        "created_at": "2023-03-01T08:00:00Z",
        "pending_engine_version": None,
        "tags": {"team": "shop"},
    }
    out.update(over)
    return out


def setting(name, value, unit=None, vartype="integer", source="configuration file", boot=None):
    return {
        "name": name, "setting": value, "unit": unit, "vartype": vartype, "source": source,
        "pending_restart": False, "boot_val": boot,
    }


def settings(aurora, major):
    rows = [
        setting("autovacuum_max_workers", "3", boot="3"),
        setting("default_transaction_read_only", "off", vartype="bool", source="default", boot="off"),
        setting("logical_decoding_work_mem", "65536", "kB", boot="65536") if major >= 13 else None,
        setting("lock_timeout", "0", "ms", source="default", boot="0"),
        setting("max_connections", "1600", boot="100"),
        setting("max_logical_replication_workers", "25", boot="4"),
        setting("max_parallel_workers", "8", boot="8"),
        setting("max_replication_slots", "25", boot="10"),
        setting("max_slot_wal_keep_size", "-1", "MB", source="default", boot="-1") if major >= 13 else None,
        setting("max_sync_workers_per_subscription", "2", source="default", boot="2"),
        setting("max_wal_senders", "25", boot="10"),
        setting("max_worker_processes", "50", boot="8"),
        setting("session_replication_role", "origin", vartype="enum", source="default", boot="origin"),
        setting("shared_preload_libraries", "rdsutils,pg_stat_statements", vartype="string", boot=""),
        setting("statement_timeout", "0", "ms", source="default", boot="0"),
        setting("synchronous_commit", "on", vartype="enum", source="default", boot="on"),
        setting("wal_level", "logical", vartype="enum", boot="replica"),
        setting("tcp_keepalives_count", "0", source="default", boot="0"),
        setting("tcp_keepalives_idle", "0", "s", source="default", boot="0"),
        setting("tcp_keepalives_interval", "0", "s", source="default", boot="0"),
        setting("wal_receiver_timeout", "60000", "ms", source="default", boot="60000"),
        setting("wal_receiver_status_interval", "10", "s", source="default", boot="10"),
        setting("wal_sender_timeout", "60000", "ms", source="default", boot="60000"),
        setting("rds.force_ssl", "1" if major >= (17 if aurora else 15) else "0", vartype="string", source="rds"),
        setting("rds.logical_replication", "on", vartype="string", source="rds"),
        setting("rds.logically_replicate_unlogged_tables", "1", vartype="string", source="rds") if aurora else None,
    ]
    return sorted((r for r in rows if r), key=lambda r: r["name"])


def rows(items):
    return known({"total": len(items), "rows": items})


LSN = "16/B374D848"


def own_session(databases):
    return {
        "pid": 4242, "user": "greenlight", "database": databases[0], "application": "greenlight", "client": "10.0.0.9",
        "kind": "client backend", "state": "active", "writes": False, "transaction_seconds": 0.001,
        "state_seconds": 0.001, "query": "select", "ddl": None, "own": True, "sees_all": True,
    }


def slot(database):
    return f"rds_slot_{database}"


def slots(databases, major):
    """The service's slots on blue, one a database, as the shared probes `slots` and `lag` show them."""
    wal_status = "reserved" if major >= 13 else None
    owned = [
        {
            "name": slot(d), "kind": "logical", "plugin": "pgoutput", "database": d, "temporary": False, "active": True,
            "application": f"rds_sub_{d}", "user": "rdsrepladmin", "client": "10.0.0.20", "wal_status": wal_status,
            "invalidation": None, "retained_bytes": 4096,
        }
        for d in databases
    ]
    lag = [
        {
            "slot": slot(d), "database": d, "active": True, "confirmed_flush_lsn": LSN, "restart_lsn": LSN,
            "current_lsn": LSN, "lag_bytes": 0, "wal_status": wal_status, "write_lag_seconds": 0.002,
            "flush_lag_seconds": 0.003, "replay_lag_seconds": 0.003, "last_reply_seconds": 0.4, "state": "streaming",
        }
        for d in databases
    ]
    return {"slots": rows(owned), "lag": rows(lag)}


def subscriptions(databases, major):
    """Green's subscriptions with their apply workers, as the shared probe `apply` shows them."""
    return rows([
        {
            "name": f"rds_sub_{d}", "database": d, "enabled": True, "slot": slot(d), "pid": 700 + n, "received_lsn": LSN,
            "latest_end_lsn": LSN, "last_message_seconds": 0.4, "apply_errors": 0 if major >= 15 else None,
            "sync_errors": 0 if major >= 15 else None,
        }
        for n, d in enumerate(databases)
    ])


def replicating(doc):
    """Adds what logical replication shows on both sides, and two looks at its lag."""
    blue, green = doc["blue"]["known"], doc["green"]["known"]
    databases = sorted(blue["databases"])
    blue["probes"].update(slots(databases, int(blue["version"].split(".")[0])))
    green["probes"]["apply"] = subscriptions(databases, int(green["version"].split(".")[0]))
    doc["lag"] = [
        {"at": at, "blue": blue["probes"]["lag"], "green": green["probes"]["apply"]}
        for at in ("2025-02-03T09:00:01Z", "2025-02-03T09:00:02Z")
    ]
    return doc


def server(endpoint, version, aurora, databases):
    def database(name, allows=True, template=False, connect=True):
        return {
            "name": name, "allows_connections": allows, "is_template": template, "connection_limit": -1,
            "encoding": "UTF8", "lc_collate": "en_US.UTF-8", "lc_ctype": "en_US.UTF-8", "may_connect": connect,
            "xid_age": 1200000,
        }

    all_databases = [database(d) for d in databases]
    all_databases += [
        database("postgres"), database("rdsadmin", connect=False), database("template0", False, True),
        database("template1", True, True),
    ]
    all_databases.sort(key=lambda d: d["name"])
    return known({
        "endpoint": endpoint,
        "role": "greenlight",
        "version": version,
        "probes": {"databases": rows(all_databases), "sessions": rows([own_session(databases)]), "settings": rows(settings(aurora, int(version.split(".")[0])))},
        "databases": {
            name: known({"replica-identity": rows([]), "unlogged-tables": rows([])})
            for name in sorted([*databases, "postgres"])
        },
    })


def targets(*versions, own):
    return [
        {"version": v, "major": v.split(".")[0] != own, "auto": False} for v in versions
    ]


def lifecycles(standard, extended):
    return [
        {"name": "open-source-rds-standard-support", "start": None, "end": standard},
        {"name": "open-source-rds-extended-support", "start": standard, "end": extended},
    ]


def document(engine, subject, target, group_name, rds, blue, green):
    return {
        "schema": 1,
        "greenlight": "0.1.0",
        "collected_at": NOW,
        "request": {"subject": subject, "target_version": target, "target_parameter_group": group_name},
        "engine": engine,
        "rds": known(rds),
        "blue": blue,
        "green": green,
        "lag": [],
    }


def event(source, kind, at, message):
    return {"at": at, "source": source, "source_type": kind, "message": message}


TASKS_DONE = (
    "Blue/green deployment tasks completed. You can make more modifications to the green environment databases or "
    "switch over the deployment."
)


def rds_facts(**over):
    out = {
        "account": known(ACCOUNT),
        "region": REGION,
        "endpoint_url": None,
        "pending_maintenance": known([]),
        "proxies": known([]),
        "global_cluster": known(None),
        "integrations": known([]),
        "cluster_endpoints": known([]),
        "quotas": known({
            "AllocatedStorage": {"used": 2400, "max": 100000},
            "DBClusterParameterGroups": {"used": 6, "max": 50},
            "DBClusters": {"used": 4, "max": 40},
            "DBInstances": {"used": 12, "max": 40},
            "ReadReplicasPerMaster": {"used": 1, "max": 15},
        }),
    }
    out.update(over)
    return out


def member(kind, source, target, status="AVAILABLE"):
    return {"source": arn(kind, source), "target": arn(kind, target), "status": status}


def aurora():
    klass, engine = "db.r6g.large", "aurora-postgresql"
    names = ["main-1", "main-2", "main-3"]
    greens = ["main-1-green-d4e5f6", "main-2-green-g7h8i9", "main-3-green-j1k2l3"]
    blue = {
        "cluster": cluster("main", 1, "12.22", "main-pg12", names),
        "instances": [
            instance(n, k + 1, engine, "12.22", klass, "default.aurora-postgresql12", cluster_id="main")
            for k, n in enumerate(names)
        ],
    }
    green = {
        "cluster": cluster("main-green-a1b2c3", 2, "14.15", "main-pg14", greens, created_at=CREATED),
        "instances": [
            instance(
                n, k + 11, engine, "14.15", klass, "default.aurora-postgresql14", cluster_id="main-green-a1b2c3",
                created_at=CREATED,
            )
            for k, n in enumerate(greens)
        ],
    }
    deployment = {
        "id": "bgd-a1b2c3d4e5f6g7h8",
        "name": "main-to-14",
        "source": arn("cluster", "main"),
        "target": arn("cluster", "main-green-a1b2c3"),
        "status": "AVAILABLE",
        "status_details": None,
        "members": [member("cluster", "main", "main-green-a1b2c3")]
        + [member("db", b, g) for b, g in zip(names, greens)],
        "tasks": [
            {"name": "CREATING_READ_REPLICA_OF_SOURCE", "status": "COMPLETED"},
            {"name": "DB_ENGINE_VERSION_UPGRADE", "status": "COMPLETED"},
            {"name": "CREATE_DB_INSTANCES_FOR_CLUSTER", "status": "COMPLETED"},
        ],
        "created_at": CREATED,
        "deleted_at": None,
    }
    facts = rds_facts(
        blue=known(blue),
        green=known(green),
        deployment=known(deployment),
        parameter_groups={
            "cluster:main-pg12": group("main-pg12", "aurora-postgresql12", LOGICAL),
            "cluster:main-pg14": group("main-pg14", "aurora-postgresql14", LOGICAL),
            "instance:default.aurora-postgresql12": group("default.aurora-postgresql12", "aurora-postgresql12"),
            "instance:default.aurora-postgresql14": group("default.aurora-postgresql14", "aurora-postgresql14"),
        },
        source_version=known({
            "version": "12.22", "family": "aurora-postgresql12", "status": "available",
            "upgrade_targets": targets("13.18", "14.15", "15.10", "16.6", own="12"),
        }),
        minor_versions=known([
            {"version": "12.9", "family": "aurora-postgresql12", "status": "available",
             "upgrade_targets": targets("12.16", "12.17", "12.22", "13.18", "14.7", "14.10", "14.15", own="12")},
            {"version": "12.22", "family": "aurora-postgresql12", "status": "available",
             "upgrade_targets": targets("13.18", "14.15", "15.10", "16.6", own="12")},
        ]),
        target_version=known({
            "version": "14.15", "family": "aurora-postgresql14", "status": "available",
            "upgrade_targets": targets("15.10", "16.6", own="14"),
        }),
        major_version=known({
            "version": "12", "lifecycles": lifecycles("2025-02-28T23:59:59Z", "2028-02-29T23:59:59Z"),
        }),
        orderable_on_target={klass: known(True)},
        orderable_on_source={klass: known(True)},
        events=known([event("bgd-a1b2c3d4e5f6g7h8", "blue-green-deployment", "2025-02-01T20:55:00Z", TASKS_DONE)]),
        clones=known(1),
    )
    return document(
        "aurora", "main", "14.15", "main-pg14", facts,
        server(blue["cluster"]["endpoint"] + ":5432", "12.22", True, ["main", "reports"]),
        server(green["cluster"]["endpoint"] + ":5432", "14.15", True, ["main", "reports"]),
    )


def before(doc):
    """The same production before its deployment is created."""
    doc = copy.deepcopy(doc)
    facts = doc["rds"]["known"]
    facts.update(green=known(None), deployment=known(None), events=known([]))
    green = facts["parameter_groups"]
    for name in [n for n in green if n.startswith("instance:default") and n.endswith(("14", "16"))]:
        del green[name]
    doc["green"] = None
    doc["lag"] = []
    for probe in ("slots", "lag"):
        doc["blue"]["known"]["probes"].pop(probe, None)
    return doc


def aurora_verify():
    """After the switchover names have moved; ARNs follow the names, resource ids stay."""
    doc = aurora()
    facts = doc["rds"]["known"]
    names = {"main": "main-old1", "main-green-a1b2c3": "main"}
    for n, tail in [(1, "d4e5f6"), (2, "g7h8i9"), (3, "j1k2l3")]:
        names |= {f"main-{n}": f"main-{n}-old1", f"main-{n}-green-{tail}": f"main-{n}"}

    def rename(value):
        if isinstance(value, dict):
            return {k: rename(v) for k, v in value.items()}
        if isinstance(value, list):
            return [rename(v) for v in value]
        if not isinstance(value, str):
            return value
        if value in names:
            return names[value]
        head, sep, tail = value.rpartition(":")
        if sep and head.startswith("arn:aws:rds:") and tail in names:
            return f"{head}:{names[tail]}"
        host, dot, domain = value.partition(".")
        if dot and domain.endswith("amazonaws.com") and host in names:
            return f"{names[host]}.{domain}"
        return value

    for key in ("blue", "green"):
        topology = facts[key]["known"]
        tags = topology["cluster"]["database_name"]
        facts[key]["known"] = rename(topology)
        facts[key]["known"]["cluster"]["database_name"] = tags
        for i in facts[key]["known"]["instances"]:
            i["database_name"] = tags
    deployment = facts["deployment"]["known"]
    for field in ("source", "target"):
        deployment[field] = rename(deployment[field])
    deployment["members"] = [rename(dict(m, status="SWITCHOVER_COMPLETED")) for m in deployment["members"]]
    deployment["status"] = "SWITCHOVER_COMPLETED"
    facts["events"]["known"] = [
        event("main", "db-cluster", "2025-02-03T08:31:05Z",
              "Switchover from DB cluster main to main-green-a1b2c3 completed"),
        event("bgd-a1b2c3d4e5f6g7h8", "blue-green-deployment", "2025-02-03T08:31:04Z",
              "Switchover completed on blue/green deployment."),
        event("bgd-a1b2c3d4e5f6g7h8", "blue-green-deployment", "2025-02-03T08:30:20Z",
              "Switchover started on blue/green deployment."),
    ] + facts["events"]["known"]
    for key in ("blue", "green"):
        host, _, port = doc[key]["known"]["endpoint"].rpartition(":")
        doc[key]["known"]["endpoint"] = f"{rename(host)}:{port}"
    return doc


def rds(source, target, groups, logical):
    klass, engine = "db.m6g.large", "postgres"
    major = source.split(".")[0]
    replicating = [{"kind": "read replication", "normal": True, "status": "replicating", "message": None}]
    blue = {
        "cluster": None,
        "instances": [
            instance("shop", 21, engine, source, klass, groups[0], read_replicas=["shop-replica"]),
            instance(
                "shop-replica", 22, engine, source, klass, groups[0], replication_source="shop",
                backup_retention_days=0, status_infos=replicating,
            ),
        ],
    }
    green_names = ["shop-green-k1l2m3", "shop-replica-green-n4o5p6"]
    green = {
        "cluster": None,
        "instances": [
            instance(
                green_names[0], 31, engine, target, klass, groups[1], read_replicas=[green_names[1]],
                created_at=CREATED, replication_source=None if logical else "shop",
                status_infos=[] if logical else replicating,
            ),
            instance(
                green_names[1], 32, engine, target, klass, groups[1], replication_source=green_names[0],
                backup_retention_days=0, created_at=CREATED, status_infos=replicating,
            ),
        ],
    }
    if not logical:
        blue["instances"][0]["read_replicas"].append(green_names[0])
    deployment = {
        "id": "bgd-m1n2o3p4q5r6s7t8",
        "name": "shop-to-" + target.replace(".", "-"),
        "source": arn("db", "shop"),
        "target": arn("db", green_names[0]),
        "status": "AVAILABLE",
        "status_details": None,
        "members": [member("db", "shop", green_names[0]), member("db", "shop-replica", green_names[1])],
        "tasks": [
            {"name": "CREATING_READ_REPLICA_OF_SOURCE", "status": "COMPLETED"},
            {"name": "DB_ENGINE_VERSION_UPGRADE", "status": "COMPLETED"},
            {"name": "CONFIGURE_BACKUPS", "status": "COMPLETED"},
            {"name": "CREATING_TOPOLOGY_OF_SOURCE", "status": "COMPLETED"},
        ],
        "created_at": CREATED,
        "deleted_at": None,
    }
    target_major = target.split(".")[0]
    user = LOGICAL if logical else {}
    facts = rds_facts(
        blue=known(blue),
        green=known(green),
        deployment=known(deployment),
        parameter_groups={
            f"instance:{groups[0]}": group(groups[0], f"postgres{major}", user),
            f"instance:{groups[1]}": group(groups[1], f"postgres{target_major}", user),
        },
        source_version=known({
            "version": source, "family": f"postgres{major}", "status": "available",
            "upgrade_targets": targets(*(["16.6", "17.2"] if logical else ["15.10", "16.6", "17.2"]), own=major),
        }),
        minor_versions=known([
            {"version": "15.10", "family": "postgres15", "status": "available",
             "upgrade_targets": targets("16.6", "17.2", own="15")},
        ]),
        target_version=known({
            "version": target, "family": f"postgres{target_major}", "status": "available",
            "upgrade_targets": targets("17.2", own=target_major),
        }),
        major_version=known({
            "version": major, "lifecycles": lifecycles("2028-02-29T23:59:59Z", "2031-02-28T23:59:59Z"),
        }),
        orderable_on_target={klass: known(True)},
        orderable_on_source={klass: known(True)},
        events=known([event("bgd-m1n2o3p4q5r6s7t8", "blue-green-deployment", "2025-02-01T20:55:00Z", TASKS_DONE)]),
        clones=known(None),
    )
    return document(
        "rds", "shop", target, groups[1], facts,
        server(f"shop.cabcdefghijk.{REGION}.rds.amazonaws.com:5432", source, False, ["main", "reports"]),
        server(f"{green_names[0]}.cabcdefghijk.{REGION}.rds.amazonaws.com:5432", target, False, ["main", "reports"]),
    )


def main():
    here = pathlib.Path(__file__).parent
    upgrade = replicating(rds("15.10", "16.6", ("shop-pg15", "shop-pg16"), True))
    documents = {
        "aurora": replicating(aurora()),
        "aurora-create": before(aurora()),
        "aurora-verify": aurora_verify(),
        "rds": upgrade,
        "rds-create": before(upgrade),
        "rds-minor": rds("15.8", "15.10", ("default.postgres15", "default.postgres15"), False),
    }
    for name, doc in documents.items():
        (here / f"{name}.json").write_text(json.dumps(doc, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
