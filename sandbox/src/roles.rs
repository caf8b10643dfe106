//! The roles and the service's database as RDS sets them up, so that what runs here meets the privileges it will meet
//! there: a master user that is no superuser, and a `rdsadmin` that is.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.PostgreSQL.CommonDBATasks.Roles.rds_superuser.html>

use crate::pg::{self, Result, Server, ident, literal};

/// The service's own database, which no one else may enter.
pub const SERVICE_DATABASE: &str = "rdsadmin";

/// The role that green connects to blue as.
pub const REPLICATION_ROLE: &str = "rdsrepladmin";

/// A role that can log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The role's name, any characters.
    pub name: String,
    /// Its password, any characters.
    pub password: String,
}

impl Login {
    /// This name with a random password.
    pub fn random(name: impl Into<String>) -> Result<Self> {
        Ok(Self {
            name: name.into(),
            password: pg::random_hex(12)?,
        })
    }

    /// This name with this password.
    pub fn new(name: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            password: password.into(),
        }
    }
}

/// Who can log in to a server after [`install`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles {
    /// The master user: CREATEDB, CREATEROLE, member of `rds_superuser`, no superuser. It owns `postgres`, `template1`
    /// and the application's databases.
    pub master: Login,
    /// The read-only role that looks at the server: `pg_monitor` and what everyone may do.
    pub checker: Login,
    /// [`REPLICATION_ROLE`].
    pub replication: Login,
}

impl Roles {
    /// Master user `postgres`, checking role `greenlight`, random passwords.
    pub fn random() -> Result<Self> {
        Ok(Self {
            master: Login::random("postgres")?,
            checker: Login::random("greenlight")?,
            replication: Login::random(REPLICATION_ROLE)?,
        })
    }
}

/// Makes a fresh server look like one of RDS.
pub async fn install(server: &Server, roles: &Roles) -> Result<()> {
    let major = server.major();
    let mut sql = String::new();
    for role in [
        "rds_superuser",
        "rds_replication",
        "rds_iam",
        "rds_password",
        "rds_ad",
    ] {
        sql.push_str(&format!("create role {role} nologin;\n"));
    }
    let mut powers = vec![
        "pg_monitor",
        "pg_signal_backend",
        "rds_replication",
        "rds_password",
    ];
    if major >= 14 {
        powers.extend(["pg_read_all_data", "pg_write_all_data"]);
    }
    if major >= 15 {
        powers.push("pg_checkpoint");
    }
    if major >= 16 {
        powers.push("pg_create_subscription");
    }
    sql.push_str(&format!(
        "grant {} to rds_superuser with admin option;\n",
        powers.join(", ")
    ));
    if major >= 15 {
        sql.push_str("grant set on parameter session_replication_role to rds_superuser;\n");
    }
    let master = ident(&roles.master.name);
    sql.push_str(&format!(
        "create role {master} login createdb createrole password {} valid until 'infinity' in role rds_superuser;\n",
        literal(&roles.master.password)
    ));
    let checker = ident(&roles.checker.name);
    sql.push_str(&format!(
        "create role {checker} login password {} in role pg_monitor;\n",
        literal(&roles.checker.password)
    ));
    // Before 14 only a superuser may read every table for the first copy.
    sql.push_str(&format!(
        "create role {} login superuser replication password {};\n",
        ident(&roles.replication.name),
        literal(&roles.replication.password)
    ));
    for database in ["postgres", "template1"] {
        sql.push_str(&format!("alter database {database} owner to {master};\n"));
    }
    server.execute("postgres", &sql).await?;
    if major < 15 {
        // From 15 on it belongs to whoever owns the database.
        for database in ["postgres", "template1"] {
            server
                .execute(database, &format!("alter schema public owner to {master}"))
                .await?;
        }
    }
    let service = ident(SERVICE_DATABASE);
    server
        .execute("postgres", &format!("create database {service}"))
        .await?;
    server
        .execute(
            "postgres",
            &format!("revoke all on database {service} from public"),
        )
        .await
}

/// Creates a database of this name and owner.
pub async fn create_database(server: &Server, name: &str, owner: &str) -> Result<()> {
    server
        .execute(
            "postgres",
            &format!("create database {} owner {}", ident(name), ident(owner)),
        )
        .await
}
