//! `sandbox::roles`: the roles can do what they can on RDS and no more.

use sandbox::pg::{Server, ServerOptions};
use sandbox::roles::{Login, Roles, create_database, install};

#[tokio::test]
async fn the_master_user_administers_but_is_no_superuser() {
    for major in [11, 14, 15, 18] {
        let server = Server::start(ServerOptions::new(major)).await.expect("it starts");
        let roles = Roles {
            master: Login::new("the \"Master\" ü", "a b'c\"d%20\\ü$&?"),
            checker: Login::new("greenlight", "x=y;' --"),
            replication: Login::random("rdsrepladmin").expect("randomness"),
        };
        install(&server, &roles).await.expect("the roles can be made");
        create_database(&server, "App \"1\"", &roles.master.name)
            .await
            .expect("a database too");
        let Login { name, password } = &roles.master;
        let master = server
            .connect_as("App \"1\"", name, password)
            .await
            .expect("it logs in");
        let row = master
            .query_one(
                "select rolsuper, rolcreatedb, rolcreaterole from pg_roles where rolname = current_user",
                &[],
            )
            .await
            .expect("it answers");
        assert_eq!(
            (row.get(0), row.get(1), row.get(2)),
            (false, true, true),
            "{major}"
        );
        let work = "create schema s; create table s.t (a int primary key); create table public.u (); create role app";
        master
            .batch_execute(work)
            .await
            .expect("its own database is its own");
        let file = master
            .batch_execute("copy s.t from '/etc/passwd'")
            .await
            .expect_err("but the machine is not");
        assert_eq!(file.code().map(|code| code.code()), Some("42501"), "{major}");
        let member = "select pg_has_role(current_user, 'rds_superuser', 'member') and pg_has_role(current_user, 'pg_monitor', 'usage')";
        assert!(
            master
                .query_one(member, &[])
                .await
                .expect("it answers")
                .get::<_, bool>(0),
            "{major}"
        );
        let service = server
            .connect_as("rdsadmin", name, password)
            .await
            .expect_err("the service's database is closed");
        assert_eq!(service.sqlstate(), Some("42501"), "{service}");
        server.connect("rdsadmin").await.expect("to all but the service");
    }
}

#[tokio::test]
async fn the_checking_role_sees_activity_and_settings_but_no_rows() {
    for major in [11, 17] {
        let server = Server::start(ServerOptions::new(major)).await.expect("it starts");
        let roles = Roles::random().expect("randomness");
        install(&server, &roles).await.expect("the roles can be made");
        create_database(&server, "app", &roles.master.name)
            .await
            .expect("a database too");
        let master = server
            .connect_as("app", &roles.master.name, &roles.master.password)
            .await
            .expect("it logs in");
        master
            .batch_execute("create table t as select 1 as a")
            .await
            .expect("its own database is its own");
        let Login { name, password } = &roles.checker;
        let checker = server
            .connect_as("app", name, password)
            .await
            .expect("it logs in");
        let masked = "select count(*) from pg_stat_activity where query = '<insufficient privilege>'";
        assert_eq!(
            checker
                .query_one(masked, &[])
                .await
                .expect("it answers")
                .get::<_, i64>(0),
            0,
            "{major}"
        );
        checker
            .query_one("show data_directory", &[])
            .await
            .expect("pg_read_all_settings comes with pg_monitor");
        for forbidden in [
            "select * from t",
            "drop table t",
            "create role x",
            "create database x",
            "checkpoint",
        ] {
            let error = checker.batch_execute(forbidden).await.expect_err("it only looks");
            assert_eq!(
                error.code().map(|code| code.code()),
                Some("42501"),
                "{major} {forbidden}"
            );
        }
        let rights = "select rolsuper or rolcreaterole or rolcreatedb or rolreplication from pg_roles where rolname = current_user";
        assert!(
            !checker
                .query_one(rights, &[])
                .await
                .expect("it answers")
                .get::<_, bool>(0),
            "{major}"
        );
    }
}
