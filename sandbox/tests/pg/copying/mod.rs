//! `sandbox::copy`: the new server has everything the old one has, and what cannot be there is told.

use std::collections::BTreeSet;

use sandbox::copy::{Copied, copy};
use sandbox::pg::{Server, ServerOptions};

pub(crate) const UNICODE: &str = "ünï 'code'";
pub(crate) const ODD: &str = "Weird.Db \"1\"";

pub(crate) async fn pair(old: u32, new: u32) -> (Server, Server) {
    tokio::try_join!(
        Server::start(ServerOptions::new(old).logical()),
        Server::start(ServerOptions::new(new).logical())
    )
    .expect("both start")
}

/// The schema that uses everything the old server has.
pub(crate) async fn enrich(blue: &Server) {
    for statement in include_str!("globals.sql").split(";\n") {
        blue.execute("postgres", statement)
            .await
            .expect("the statement is right");
    }
    let mut sql = include_str!("rich.sql").to_owned();
    for (since, more) in [
        (12, include_str!("since_12.sql")),
        (14, include_str!("since_14.sql")),
        (15, include_str!("since_15.sql")),
    ] {
        if blue.major() >= since {
            sql.push_str(more);
        }
    }
    // Statement by statement, because a new enum value cannot be used in its own transaction.
    let client = blue.connect("app").await.expect("it is there");
    for statement in sql.split(";\n") {
        if let Err(error) = client.batch_execute(statement).await {
            panic!("{error:?} in {statement}");
        }
    }
    for database in [ODD, UNICODE] {
        blue.execute(
            database,
            "create table \"näme\" (\"ä\" text primary key default 'ü')",
        )
        .await
        .expect("it is right");
    }
}

async fn fingerprint(server: &Server, database: &str) -> BTreeSet<String> {
    let sql = format!(
        "set search_path = ''; set datestyle = iso; {}",
        include_str!("fingerprint.sql")
    );
    let rows = server.query(database, &sql).await.expect("it can be asked");
    rows.into_iter().flatten().flatten().collect()
}

/// Lines that only one side has.
async fn differences(blue: &Server, green: &Server, database: &str) -> Vec<String> {
    let (old, new) = (
        fingerprint(blue, database).await,
        fingerprint(green, database).await,
    );
    assert!(old.len() > 50, "something is compared: {}", old.len());
    let only = |one: &BTreeSet<String>, other: &BTreeSet<String>, sign: char| {
        one.difference(other)
            .map(|line| format!("{sign} {line}"))
            .collect::<Vec<_>>()
    };
    [only(&old, &new, '-'), only(&new, &old, '+')].concat()
}

async fn copies_everything(old: u32, new: u32) {
    let (blue, green) = pair(old, new).await;
    enrich(&blue).await;
    let copied = copy(&blue, &green).await.expect("both can be reached");
    assert_eq!(copied, Copied::default(), "{old} to {new}: {copied:#?}");
    for database in ["app", ODD, UNICODE, "postgres", "template1"] {
        let differences = differences(&blue, &green, database).await;
        assert!(
            differences.is_empty(),
            "{old} to {new}, {database}:\n{}",
            differences.join("\n")
        );
    }
    for sql in [
        "select * from cache order by 1",
        "select last_value, is_called from \"select\".\"Seq.1\"",
        "select last_value, is_called from untouched",
        "select last_value, is_called from ident_a_seq",
        "select (to_tsvector('\"select\".words', 'the quick'))::text",
        "select 1 as one where total(a) = 3 from (values (1), (2)) v (a)",
    ] {
        let (before, after) = (blue.query("app", sql).await, green.query("app", sql).await);
        assert_eq!(before.ok(), after.ok(), "{old} to {new}: {sql}");
    }
    let password = "it's \"secret\" %20 ü";
    green
        .connect_as("app", "App Owner", password)
        .await
        .expect("the password came along");
}

#[tokio::test]
async fn everything_is_copied_from_11_to_13() {
    copies_everything(11, 13).await;
}

#[tokio::test]
async fn everything_is_copied_from_12_to_14() {
    copies_everything(12, 14).await;
}

#[tokio::test]
async fn everything_is_copied_from_13_to_16() {
    copies_everything(13, 16).await;
}

#[tokio::test]
async fn everything_is_copied_from_14_to_17() {
    copies_everything(14, 17).await;
}

#[tokio::test]
async fn everything_is_copied_from_15_to_18() {
    copies_everything(15, 18).await;
}

/// Copies from a server on which `sql` ran and returns what was left undone, as text.
async fn copied_after(old: u32, new: u32, sql: &str) -> (Vec<String>, Vec<String>) {
    let (blue, green) = pair(old, new).await;
    blue.execute("postgres", sql)
        .await
        .expect("the old server takes it");
    let copied = copy(&blue, &green).await.expect("both can be reached");
    (
        copied.failures.iter().map(ToString::to_string).collect(),
        copied.notes,
    )
}

#[tokio::test]
async fn what_the_new_version_no_longer_has_is_a_failure() {
    for (old, new, sql, expected) in [
        (
            16,
            17,
            "create view v as select buffers_backend from pg_stat_bgwriter; create view on_v as select * from v; \
             create table kept (a int)",
            vec![
                r#"database "postgres": could not create view "public"."v": column "buffers_backend" does not exist (42703)"#,
                r#"database "postgres": could not create view "public"."on_v": relation "public.v" does not exist (42P01)"#,
            ],
        ),
        (
            11,
            12,
            "create table t (a int) with oids",
            vec![
                r#"database "postgres": could not create table "public"."t": tables declared WITH OIDS are not supported (0A000)"#,
            ],
        ),
        (
            13,
            14,
            "create role r; alter role r set operator_precedence_warning = on; \
             create type temp as range (subtype = int); create type temp_multirange as enum ('a')",
            vec![
                r#"database "postgres": could not create type "public"."temp_multirange": type "temp_multirange" already exists (42710)"#,
                r#"could not create setting operator_precedence_warning of role "r": unrecognized configuration parameter "operator_precedence_warning" (42704)"#,
            ],
        ),
        (
            16,
            17,
            "create extension adminpack",
            vec![
                r#"database "postgres": could not create extension "adminpack": extension "adminpack" is not available (0A000) - Could not open extension control file"#,
            ],
        ),
    ] {
        let (failures, notes) = copied_after(old, new, sql).await;
        assert_eq!(failures.len(), expected.len(), "{old} to {new}: {failures:#?}");
        for (failure, expected) in failures.iter().zip(expected) {
            assert!(failure.starts_with(expected), "{old} to {new}: {failure}");
        }
        assert!(notes.is_empty(), "{notes:?}");
    }
}

#[tokio::test]
async fn a_closed_database_and_an_unknown_kind_of_object_are_failures() {
    let (blue, green) = pair(13, 14).await;
    let sql = "create operator class mine for type int using btree as operator 1 <, operator 3 =, function 1 btint4cmp(int, int); \
               create database closed; alter database closed allow_connections false; \
               create database broken; update pg_database set datconnlimit = -2 where datname = 'broken'";
    for statement in sql.split(';') {
        blue.execute("postgres", statement)
            .await
            .expect("the old server takes it");
    }
    let copied = copy(&blue, &green).await.expect("both can be reached");
    let failures: Vec<String> = copied.failures.iter().map(ToString::to_string).collect();
    assert_eq!(failures.len(), 3, "{failures:#?}");
    let closed = failures[..2]
        .iter()
        .all(|failure| failure.contains("all databases must allow connections"));
    assert!(closed, "{failures:#?}");
    assert!(failures[2].contains(r#"operator class "mine""#), "{failures:#?}");
}

#[tokio::test]
async fn an_extension_whose_version_is_gone_is_noted() {
    let sql = "create extension hstore; update pg_extension set extversion = '0.9' where extname = 'hstore'; \
               create table t (h hstore)";
    let (failures, notes) = copied_after(12, 15, sql).await;
    assert_eq!((failures.len(), notes.len()), (0, 1), "{failures:#?} {notes:#?}");
    assert!(
        notes[0].contains(r#"extension "hstore""#) && notes[0].contains("0.9"),
        "{notes:#?}"
    );
}

#[tokio::test]
async fn a_copy_over_rds_roles_keeps_them() {
    use sandbox::roles::{Roles, install};
    let (blue, green) = pair(12, 15).await;
    let (old, new) = (
        Roles::random().expect("randomness"),
        Roles::random().expect("randomness"),
    );
    install(&blue, &old).await.expect("the roles can be made");
    install(&green, &new).await.expect("the roles can be made");
    let copied = copy(&blue, &green).await.expect("both can be reached");
    assert_eq!(copied, Copied::default(), "{copied:#?}");
    for login in [&old.master, &old.checker] {
        green
            .connect_as("postgres", &login.name, &login.password)
            .await
            .expect("the old server's password");
    }
}

#[tokio::test]
async fn what_the_upgrade_check_refuses_is_a_failure() {
    for (old, new, sql, expected) in [
        (
            11,
            12,
            "create type holder as (p regproc[]); create domain dom as regoper; create table t (h holder, d dom, c regclass);
             create table i as select table_name as s from information_schema.tables limit 0;
             create view v as select 'now'::regproc as r; create table gone (r regproc); alter table gone drop column r",
            vec!["\"t\".\"h\"", "\"t\".\"d\"", "\"i\".\"s\""],
        ),
        (
            15,
            16,
            "create table t (a aclitem[], s pg_stat_activity); create table p (a int not null);
             create table c (a int) inherits (p); alter table c alter a drop not null",
            vec!["\"t\".\"a\"", "\"t\".\"s\"", "\"c\".\"a\""],
        ),
        (16, 17, "create table t (a aclitem)", vec![]),
        (15, 15, "create table t (a regproc)", vec![]),
    ] {
        let (mut failures, _) = copied_after(old, new, sql).await;
        // A child that may be null cannot be attached either.
        failures.retain(|failure| !failure.contains("could not create inheritance"));
        assert_eq!(failures.len(), expected.len(), "{old} to {new}: {failures:#?}");
        for column in expected {
            let found = failures.iter().any(|failure| failure.contains(&format!("column \"public\".{column}:")));
            assert!(found, "{old} to {new}: {column} in {failures:#?}");
        }
    }
    let (blue, green) = tokio::try_join!(
        Server::start(ServerOptions::new(12).setting("max_prepared_transactions", "2")),
        Server::start(ServerOptions::new(13))
    )
    .expect("both start");
    let client = blue.connect("postgres").await.expect("it connects");
    for sql in [
        "begin",
        "create table t (a int)",
        "prepare transaction 'left over'",
    ] {
        client.batch_execute(sql).await.expect("the statement is right");
    }
    let copied = copy(&blue, &green).await.expect("both can be reached");
    assert_eq!(copied.failures.len(), 1, "{copied:#?}");
    assert!(
        copied.failures[0]
            .to_string()
            .contains("prepared transaction left over"),
        "{copied:#?}"
    );
}
