//! RDS's error answers: code, HTTP status and message.
//!
//! Codes and statuses are those of the public API model (`error.code`, `error.httpStatusCode`), which differ from the
//! shapes' names more often than one would think: `DBInstanceNotFoundFault` travels as `DBInstanceNotFound`.
//! Source: <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/CommonErrors.html>

use super::xml::Xml;

/// One error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Fault {
    /// Any fault.
    pub(crate) fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
        }
    }

    /// A fault of HTTP status 400, the most common one.
    pub(crate) fn bad(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    pub(crate) fn missing(parameter: &str) -> Self {
        Self::bad(
            "MissingParameter",
            format!("The request must contain the parameter {parameter}."),
        )
    }

    pub(crate) fn invalid_value(message: impl Into<String>) -> Self {
        Self::bad("InvalidParameterValue", message)
    }

    pub(crate) fn invalid_combination(message: impl Into<String>) -> Self {
        Self::bad("InvalidParameterCombination", message)
    }

    pub(crate) fn cluster_not_found(id: &str) -> Self {
        Self::new(
            404,
            "DBClusterNotFoundFault",
            format!("DBCluster {id} not found."),
        )
    }

    pub(crate) fn instance_not_found(id: &str) -> Self {
        Self::new(404, "DBInstanceNotFound", format!("DBInstance {id} not found."))
    }

    pub(crate) fn deployment_not_found(id: &str) -> Self {
        Self::new(
            404,
            "BlueGreenDeploymentNotFoundFault",
            format!("Cannot find blue/green deployment {id}."),
        )
    }

    pub(crate) fn deployment_state(message: impl Into<String>) -> Self {
        Self::bad("InvalidBlueGreenDeploymentStateFault", message)
    }

    pub(crate) fn cluster_state(message: impl Into<String>) -> Self {
        Self::bad("InvalidDBClusterStateFault", message)
    }

    pub(crate) fn instance_state(message: impl Into<String>) -> Self {
        Self::bad("InvalidDBInstanceState", message)
    }

    pub(crate) fn parameter_group_not_found(name: &str) -> Self {
        Self::new(
            404,
            "DBParameterGroupNotFound",
            format!("DBParameterGroup not found: {name}"),
        )
    }

    pub(crate) fn cluster_parameter_group_not_found(name: &str) -> Self {
        Self::new(
            404,
            "DBClusterParameterGroupNotFound",
            format!("DBClusterParameterGroup not found: {name}"),
        )
    }

    pub(crate) fn throttled() -> Self {
        Self::bad("Throttling", "Rate exceeded")
    }

    pub(crate) fn internal() -> Self {
        Self::new(
            500,
            "InternalFailure",
            "An internal error has occurred. Please try your query again at a later time.",
        )
    }

    pub(crate) fn unavailable() -> Self {
        Self::new(503, "ServiceUnavailable", "Service is unable to handle request.")
    }

    pub(crate) fn access_denied(user: &str, action: &str) -> Self {
        Self::new(
            403,
            "AccessDenied",
            format!(
                "User: {user} is not authorized to perform: rds:{action} because no identity-based policy allows the \
                 rds:{action} action"
            ),
        )
    }

    pub(crate) fn invalid_token() -> Self {
        Self::new(
            403,
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
        )
    }

    pub(crate) fn expired_token() -> Self {
        Self::new(
            403,
            "ExpiredToken",
            "The security token included in the request is expired",
        )
    }

    /// The protocol's error envelope.
    pub(crate) fn document(&self, namespace: &str, request_id: &str) -> String {
        let kind = if self.status < 500 { "Sender" } else { "Receiver" };
        Xml::new("ErrorResponse")
            .child(
                Xml::new("Error")
                    .text("Type", kind)
                    .text("Code", &self.code)
                    .text("Message", &self.message),
            )
            .text("RequestId", request_id)
            .document(namespace)
    }
}
