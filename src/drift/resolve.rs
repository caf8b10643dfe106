//! Works out values of a CloudFormation template as far as the template alone tells them.
//!
//! What only the stack knows (other stacks' exports, SSM, secrets, ids that AWS assigns) stays unknown, with the reason.
//! Work is bounded, so that a hostile template costs a message and no memory.

mod functions;

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
};

use serde_json::{Map, Value};

/// Evaluation steps of one template; a real one needs a few hundred.
const STEPS: u32 = 200_000;
/// How deep references and functions may lead into each other: enough for any real template, too little for the stack.
const DEPTH: u32 = 150;
/// Longest text that is put together.
const LONGEST: usize = 16 << 10;

/// What a property comes to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Setting {
    /// This value.
    Known(Value),
    /// Not set.
    Absent,
    /// A resource of the same template: its physical name, or the named attribute.
    Resource {
        /// Logical id.
        id: String,
        /// The attribute of `Fn::GetAtt`.
        attribute: Option<String>,
    },
    /// Cannot be told from the template, because.
    Unknown(String),
}

impl Setting {
    fn unknown(why: impl Into<String>) -> Self {
        Self::Unknown(why.into())
    }
}

/// What is known besides the template.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// `--parameter NAME=VALUE`.
    pub parameters: BTreeMap<String, String>,
    /// Region of the live database.
    pub region: Option<String>,
    /// Account of the live database.
    pub account: Option<String>,
    /// `aws`, `aws-cn` …
    pub partition: Option<String>,
    /// The stack's name, where a tag of the live database tells it.
    pub stack: Option<String>,
}

/// Resolves within one template.
pub(super) struct Resolver<'a> {
    template: &'a Map<String, Value>,
    around: &'a Surroundings,
    steps: Cell<u32>,
    depth: Cell<u32>,
}

/// One level of evaluation; left when dropped.
struct Level<'a>(&'a Cell<u32>);

impl Drop for Level<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

fn section<'a>(template: &'a Map<String, Value>, name: &str) -> Option<&'a Map<String, Value>> {
    template.get(name)?.as_object()
}

/// The property that names a resource physically, so that `Ref` gives it.
pub(super) fn name_property(type_name: &str) -> Option<&'static str> {
    Some(match type_name {
        "AWS::RDS::DBCluster" => "DBClusterIdentifier",
        "AWS::RDS::DBInstance" => "DBInstanceIdentifier",
        "AWS::RDS::DBClusterParameterGroup" => "DBClusterParameterGroupName",
        "AWS::RDS::DBParameterGroup" => "DBParameterGroupName",
        "AWS::RDS::GlobalCluster" => "GlobalClusterIdentifier",
        _ => return None,
    })
}

impl<'a> Resolver<'a> {
    pub(super) fn new(template: &'a Map<String, Value>, around: &'a Surroundings) -> Self {
        Self {
            template,
            around,
            steps: Cell::new(STEPS),
            depth: Cell::new(0),
        }
    }

    /// Names of parameters of the template whose value must not be shown.
    fn is_secret(&self, parameter: &str) -> bool {
        let declared = section(self.template, "Parameters").and_then(|p| p.get(parameter));
        declared
            .and_then(|p| p.get("NoEcho"))
            .is_some_and(|v| truth(v) == Some(true))
    }

    /// One level deeper; none where the bounds are reached.
    fn enter(&self) -> Option<Level<'_>> {
        let (steps, depth) = (self.steps.get(), self.depth.get());
        if steps == 0 || depth == DEPTH {
            return None;
        }
        self.steps.set(steps - 1);
        self.depth.set(depth + 1);
        Some(Level(&self.depth))
    }

    /// Resolves a value.
    pub(super) fn resolve(&self, value: &Value) -> Setting {
        let Some(_level) = self.enter() else {
            return Setting::unknown("the template is too deeply nested to work out");
        };
        match value {
            Value::String(text) if text.contains("{{resolve:") => {
                Setting::unknown("a dynamic reference, which is read when the stack is deployed")
            }
            Value::Object(map) => match function(map) {
                Some((name, arguments)) => self.call(name, arguments),
                None => self.object(map),
            },
            Value::Array(items) => match self.list(items) {
                Ok(items) => Setting::Known(Value::Array(items)),
                Err(why) => Setting::Unknown(why),
            },
            other => Setting::Known(other.clone()),
        }
    }

    fn object(&self, map: &Map<String, Value>) -> Setting {
        let mut out = Map::new();
        for (key, value) in map {
            match self.plain(value) {
                Ok(Some(value)) => drop(out.insert(key.clone(), value)),
                Ok(None) => {}
                Err(why) => return Setting::Unknown(why),
            }
        }
        Setting::Known(Value::Object(out))
    }

    fn list(&self, items: &[Value]) -> Result<Vec<Value>, String> {
        let mut out = Vec::new();
        for item in items {
            out.extend(self.plain(item)?);
        }
        Ok(out)
    }

    /// A value that is wholly known; none where it is not set.
    fn plain(&self, value: &Value) -> Result<Option<Value>, String> {
        match self.resolve(value) {
            Setting::Known(value) => Ok(Some(value)),
            Setting::Absent => Ok(None),
            Setting::Unknown(why) => Err(why),
            Setting::Resource { id, attribute: None } => match self.physical(&id) {
                Some(name) => Ok(Some(Value::String(name))),
                None => Err(format!("the name of {id}, which is only known in the stack")),
            },
            Setting::Resource {
                id,
                attribute: Some(attribute),
            } => Err(format!("{id}.{attribute}, which is only known in the stack")),
        }
    }

    /// The name that the template itself gives to a resource.
    pub(super) fn physical(&self, id: &str) -> Option<String> {
        let resource = section(self.template, "Resources")?.get(id)?;
        let property = name_property(resource.get("Type")?.as_str()?)?;
        match self.resolve(resource.get("Properties")?.get(property)?) {
            Setting::Known(Value::String(name)) => Some(name),
            _ => None,
        }
    }

    fn text(&self, value: &Value) -> Result<String, String> {
        match self.plain(value)? {
            Some(Value::String(text)) => Ok(text),
            Some(Value::Number(number)) => Ok(number.to_string()),
            Some(Value::Bool(truth)) => Ok(truth.to_string()),
            _ => Err("a text is expected where there is none".to_owned()),
        }
    }

    fn call(&self, name: &str, arguments: &Value) -> Setting {
        let outcome = match name {
            "Ref" => return self.reference(arguments),
            "Fn::GetAtt" => return get_att(arguments),
            "Fn::If" => return self.choose(arguments),
            "Fn::Join" => self.join(arguments),
            "Fn::Sub" => self.substitute(arguments),
            "Fn::Select" => return self.select(arguments),
            "Fn::Split" => self.split(arguments),
            "Fn::FindInMap" => return self.find_in_map(arguments),
            "Fn::ImportValue" => Err("an export of another stack".to_owned()),
            _ => Err(format!("{name} is not worked out here")),
        };
        outcome.map_or_else(Setting::Unknown, Setting::Known)
    }

    fn reference(&self, name: &Value) -> Setting {
        let Some(name) = name.as_str() else {
            return Setting::unknown("Ref without a name");
        };
        let pseudo = |value: &Option<String>| match value {
            Some(value) => Setting::Known(Value::String(value.clone())),
            None => Setting::unknown(format!("{name} is not known here")),
        };
        match name {
            "AWS::NoValue" => return Setting::Absent,
            "AWS::Region" => return pseudo(&self.around.region),
            "AWS::AccountId" => return pseudo(&self.around.account),
            "AWS::Partition" => return pseudo(&self.around.partition),
            "AWS::StackName" => return pseudo(&self.around.stack),
            "AWS::URLSuffix" => {
                let china = self.around.partition.as_deref() == Some("aws-cn");
                let suffix = if china {
                    "amazonaws.com.cn"
                } else {
                    "amazonaws.com"
                };
                return Setting::Known(Value::String(suffix.to_owned()));
            }
            _ if name.starts_with("AWS::") => return Setting::unknown(format!("{name} is not known here")),
            _ => {}
        }
        if let Some(parameter) = section(self.template, "Parameters").and_then(|p| p.get(name)) {
            return self.parameter(name, parameter);
        }
        let id = name.to_owned();
        match section(self.template, "Resources").is_some_and(|r| r.contains_key(name)) {
            true => Setting::Resource { id, attribute: None },
            false => Setting::unknown(format!("Ref to {name}, which the template does not have")),
        }
    }

    fn parameter(&self, name: &str, declared: &Value) -> Setting {
        let kind = declared.get("Type").and_then(Value::as_str).unwrap_or("String");
        if self.is_secret(name) {
            return Setting::unknown(format!("parameter {name} is NoEcho"));
        }
        let text = match (self.around.parameters.get(name), declared.get("Default")) {
            (Some(given), _) => given.clone(),
            (None, _) if kind.starts_with("AWS::SSM::") => {
                return Setting::unknown(format!(
                    "parameter {name} is read from SSM when the stack is deployed: give --parameter {name}=VALUE"
                ));
            }
            (None, Some(Value::String(text))) => text.clone(),
            (None, Some(Value::Number(number))) => number.to_string(),
            (None, Some(Value::Bool(truth))) => truth.to_string(),
            (None, _) => {
                return Setting::unknown(format!(
                    "parameter {name} has no default: give --parameter {name}=VALUE"
                ));
            }
        };
        let is_list = kind == "CommaDelimitedList" || kind.contains("List<");
        Setting::Known(match is_list {
            true => text
                .split(',')
                .map(|item| Value::String(item.trim().to_owned()))
                .collect(),
            false => Value::String(text),
        })
    }
}

/// `true` as JSON or as text.
pub(super) fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::String(text) => text.to_ascii_lowercase().parse().ok(),
        _ => None,
    }
}

fn function(map: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (name, arguments) = map.iter().next()?;
    let is_function = name == "Ref" || name == "Condition" || name.starts_with("Fn::");
    (map.len() == 1 && is_function).then_some((name.as_str(), arguments))
}

fn get_att(arguments: &Value) -> Setting {
    let resource = |id: &str, attribute: &str| Setting::Resource {
        id: id.to_owned(),
        attribute: Some(attribute.to_owned()),
    };
    match arguments {
        Value::String(text) => match text.split_once('.') {
            Some((id, attribute)) => resource(id, attribute),
            None => Setting::unknown("Fn::GetAtt without an attribute"),
        },
        Value::Array(parts) => match parts.as_slice() {
            [Value::String(id), Value::String(attribute)] => resource(id, attribute),
            _ => Setting::unknown("Fn::GetAtt in a form that is not known"),
        },
        _ => Setting::unknown("Fn::GetAtt in a form that is not known"),
    }
}

/// Attributes of resources that the template reads anywhere, as `(logical id, attribute)`.
pub(super) fn attributes_read(value: &Value) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(map) => {
                if let Some(("Fn::GetAtt", arguments)) = function(map)
                    && let Setting::Resource {
                        id,
                        attribute: Some(attribute),
                    } = get_att(arguments)
                {
                    found.insert((id, attribute));
                }
                open.extend(map.values());
            }
            Value::Array(items) => open.extend(items),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn template() -> Map<String, Value> {
        let value = json!({
            "Parameters": {
                "Version": {"Type": "String", "Default": "14.10"},
                "Stage": {"Type": "String"},
                "Zones": {"Type": "CommaDelimitedList", "Default": "a, b"},
                "Bootstrap": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/cdk/version"},
                "Secret": {"Type": "String", "NoEcho": true, "Default": "hush"},
            },
            "Mappings": {"Versions": {"prod": {"engine": "16.6"}}},
            "Conditions": {
                "IsProd": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]},
                "Never": {"Fn::Equals": ["a", "b"]},
                "Either": {"Fn::Or": [{"Condition": "IsProd"}, {"Fn::Not": [{"Condition": "Never"}]}]},
                "Loop": {"Condition": "Loop"},
            },
            "Resources": {
                "Db": {"Type": "AWS::RDS::DBCluster", "Properties": {"DBClusterIdentifier": {"Fn::Sub": "main-${Version}"}}},
                "Anon": {"Type": "AWS::RDS::DBCluster", "Properties": {}},
            },
        });
        value.as_object().expect("an object").clone()
    }

    fn resolve(value: Value, given: &[(&str, &str)]) -> Setting {
        let template = template();
        let around = Surroundings {
            parameters: given
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
            region: Some("eu-west-1".to_owned()),
            ..Surroundings::default()
        };
        Resolver::new(&template, &around).resolve(&value)
    }

    #[test]
    fn what_the_template_tells_is_known() {
        for (value, wanted) in [
            (json!({"Ref": "Version"}), json!("14.10")),
            (
                json!({"Fn::Join": ["-", ["db", {"Ref": "AWS::Region"}, {"Ref": "Version"}]]}),
                json!("db-eu-west-1-14.10"),
            ),
            (
                json!({"Fn::Sub": ["${A}/${!Literal}/${Db}", {"A": "x"}]}),
                json!("x/${Literal}/main-14.10"),
            ),
            (json!({"Fn::Select": ["1", {"Ref": "Zones"}]}), json!("b")),
            (
                json!({"Fn::Select": [0, [{"Ref": "Version"}, {"Ref": "Stage"}]]}),
                json!("14.10"),
            ),
            (
                json!({"Fn::Select": [1, {"Fn::Split": [".", {"Ref": "Version"}]}]}),
                json!("10"),
            ),
            (
                json!({"Fn::FindInMap": ["Versions", "prod", "engine"]}),
                json!("16.6"),
            ),
            (json!({"Fn::If": ["Either", "yes", "no"]}), json!("yes")),
            (json!({"Fn::If": ["IsProd", "same", "same"]}), json!("same")),
            (json!([{"Ref": "AWS::NoValue"}, 1]), json!([1])),
        ] {
            assert_eq!(resolve(value.clone(), &[]), Setting::Known(wanted), "{value}");
        }
        let given = resolve(
            json!({"Fn::If": ["IsProd", {"Ref": "AWS::NoValue"}, 1]}),
            &[("Stage", "prod")],
        );
        assert_eq!(given, Setting::Absent);
    }

    #[test]
    fn what_it_does_not_tell_is_said() {
        for (value, why) in [
            (json!({"Ref": "Stage"}), "--parameter Stage=VALUE"),
            (json!({"Ref": "Bootstrap"}), "SSM"),
            (json!({"Ref": "Secret"}), "NoEcho"),
            (json!({"Ref": "Nowhere"}), "does not have"),
            (json!("{{resolve:secretsmanager:x}}"), "dynamic reference"),
            (
                json!({"Fn::Sub": "${Db.DBClusterResourceId}"}),
                "Db.DBClusterResourceId",
            ),
            (json!({"Fn::Join": ["", [{"Ref": "Anon"}]]}), "the name of Anon"),
            (json!({"Fn::If": ["IsProd", 1, 2]}), "condition IsProd"),
            (json!({"Fn::If": ["Loop", 1, 2]}), "condition Loop"),
            (json!({"Fn::ImportValue": "x"}), "another stack"),
            (json!({"Fn::Transform": {}}), "Fn::Transform"),
            (json!({"Fn::Select": [9, ["a"]]}), "beyond the end"),
            (json!({"Fn::Join": "x"}), "two arguments"),
            (json!({"Ref": ["x"]}), "Ref without a name"),
        ] {
            match resolve(value.clone(), &[]) {
                Setting::Unknown(said) => {
                    assert!(said.contains(why), "{value}: {said}");
                    assert!(!said.contains("hush"));
                }
                other => panic!("{value}: {other:?}"),
            }
        }
    }
}
