//! Reads a CloudFormation template, as `cdk synth` or a person writes it in JSON.

use serde_json::{Map, Value};

use super::{
    code::{BadCode, Declared, Document, Kind, Language, Setting},
    property,
    resolve::{Resolver, Surroundings, attributes_read},
};

/// Reads a template.
///
/// # Errors
/// [`BadCode`] where it is none.
pub fn template(file: &str, text: &str, around: &Surroundings) -> Result<Document, BadCode> {
    if !text.trim_start().starts_with('{') && text.contains("Resources:") {
        return Err(BadCode::other(
            file,
            "a template in YAML; give it as JSON: `cdk synth` writes cdk.out/*.template.json, and \
             `aws cloudformation get-template --template-stage Processed` prints a stack's own",
        ));
    }
    let template = BadCode::parse(file, text)?;
    let Some(resources) = template.get("Resources").and_then(Value::as_object) else {
        let hint = if template.contains_key("format_version") || template.contains_key("terraform_version") {
            "Terraform's JSON; give it with --tfstate or --tfplan"
        } else if template.contains_key("artifacts") {
            "a manifest of the CDK; give the *.template.json beside it"
        } else {
            "no CloudFormation template: it has no Resources"
        };
        return Err(BadCode::other(file, hint));
    };
    let resolver = Resolver::new(&template, around);
    let mut document = Document {
        file: file.to_owned(),
        language: Language::CloudFormation,
        declared: Vec::new(),
        unplaced: Vec::new(),
        attributes_read: attributes_read(&Value::Object(template.clone())),
    };
    for (id, resource) in resources {
        if id.starts_with("Fn::") {
            let why = "Fn::ForEach is expanded only when the stack is deployed".to_owned();
            document.unplaced.push((id.clone(), why));
            continue;
        }
        let path = resource
            .get("Metadata")
            .and_then(|m| m.get("aws:cdk:path")?.as_str());
        if path.is_some() {
            document.language = Language::Cdk;
        }
        let type_name = resource.get("Type").and_then(Value::as_str).unwrap_or_default();
        let Some(kind) = Kind::of(type_name).filter(|_| type_name.starts_with("AWS::")) else {
            continue;
        };
        if let Some(condition) = resource.get("Condition").and_then(Value::as_str) {
            match resolver.condition(condition) {
                Ok(true) => {}
                Ok(false) => continue,
                Err(why) => {
                    document
                        .unplaced
                        .push((id.clone(), format!("condition {condition}: {why}")));
                    continue;
                }
            }
        }
        let none = Map::new();
        let properties = resource
            .get("Properties")
            .and_then(Value::as_object)
            .unwrap_or(&none);
        let settings = property::names(kind)
            .filter_map(|name| {
                let value = properties.get(name)?;
                let setting = match (name, value) {
                    ("AssociatedRoles", Value::Array(items)) => roles(&resolver, items),
                    _ => resolver.resolve(value),
                };
                Some((name.to_owned(), setting))
            })
            .collect();
        let policy = resource
            .get("UpdateReplacePolicy")
            .or_else(|| resource.get("DeletionPolicy"));
        document.declared.push(Declared {
            kind,
            type_name: type_name.to_owned(),
            address: id.clone(),
            construct: path.map(construct),
            settings,
            update_replace_policy: policy.and_then(Value::as_str).map(str::to_owned),
            planned: None,
        });
    }
    // The CDK without path metadata still leaves its mark.
    let rules = template.get("Rules").and_then(|r| r.get("CheckBootstrapVersion"));
    if rules.is_some() {
        document.language = Language::Cdk;
    }
    Ok(document)
}

/// Roles one by one: their number tells something even where the stack makes them, as null.
fn roles(resolver: &Resolver<'_>, items: &[Value]) -> Setting {
    let role = |item: &Value| match resolver.resolve(item) {
        Setting::Known(value) => Some(value),
        Setting::Absent => None,
        _ => Some(Value::Null),
    };
    Setting::Known(items.iter().filter_map(role).collect())
}

/// The construct that people write, of the path of the resource that it makes.
fn construct(path: &str) -> String {
    match path.rsplit_once('/') {
        Some((parent, last)) if last == "Resource" || last.starts_with("Instance") => parent.to_owned(),
        _ => path.to_owned(),
    }
}
