//! Tests of the analysis of the code: of the project itself, and of small programs in this file.
//!
//! A small program consists of `main.rs` and the libraries `app`, `aws` and `cases`. `app` declares
//! a port, `aws` implements the port with the AWS SDK, and `cases` has the use case `run`.

use std::path::Path;

use super::*;

/// Library `app` of the small programs, which declares a port.
const APP: &str = "
    pub trait Store { async fn load(&self, id: u8) -> u8; async fn save(&self, id: u8); }
    pub trait Ports { type Store: Store; }";

/// Library `aws` of the small programs. Its adapters `Dynamo` and `Other` implement the port.
const AWS: &str = "
    use app::Store;
    use aws_sdk_dynamodb::Client;
    use aws_sdk_dynamodb::types::Put;
    mod table {
        use super::Client;
        pub struct Table { client: Client }
        impl Table {
            pub fn new(client: Client) -> Self { Self { client } }
            pub(super) async fn get(&self, id: u8) -> u8 { self.client.get_item().send().await }
            pub(super) async fn put(&self, id: u8) {
                super::Put::builder();
                self.client.transact_write_items().send().await
            }
        }
    }
    pub struct Dynamo { table: table::Table }
    impl Dynamo { pub fn new(client: Client) -> Self { Self { table: table::Table::new(client) } } }
    impl Store for Dynamo {
        async fn load(&self, id: u8) -> u8 { let table = &self.table; table.get(id).await }
        async fn save(&self, id: u8) { self.table.put(id).await }
    }
    pub struct Other { client: aws_sdk_kms::Client }
    impl Store for Other {
        async fn load(&self, _: u8) -> u8 { self.client.decrypt().send().await }
        async fn save(&self, _: u8) {}
    }";

/// A program that runs the use case with the adapter `Dynamo`.
const MAIN: &str = "fn main() { let store = aws::Dynamo::new(client()); cases::run(&store); }";

fn project_code() -> Code {
    Code::of_project(&Paths::of_workspace().unwrap()).unwrap()
}

#[test]
fn aws_actions_of_each_function_are_found() {
    let code = project_code();
    let calls = |function| code.calls(function).into_iter().collect::<Vec<_>>();
    assert_eq!(
        calls("download"),
        [
            "dynamodb:BatchGetItem",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:Query",
            "dynamodb:UpdateItem",
            "s3:GetObject",
        ]
    );
    assert_eq!(calls("ping"), ["secretsmanager:GetSecretValue"]);
    // The permissions are for the parts of a transaction, not for the transaction itself.
    let upload_calls = code.calls("upload");
    assert!(upload_calls.contains("dynamodb:ConditionCheckItem"), "{upload_calls:?}");
    assert!(!upload_calls.contains("dynamodb:TransactWriteItems"), "{upload_calls:?}");
    // Upload encrypts and decrypts the session URL; finalize only decrypts it.
    assert!(code.calls("finalize").contains("kms:Decrypt"));
    assert!(!code.calls("finalize").contains("kms:Encrypt"));
}

#[test]
fn variables_that_each_function_reads_are_found() {
    let variables = project_code().variables("authorizer");
    assert_eq!(variables.required, BTreeSet::from(["SCV_SECRET_ARN".to_owned()]));
    let variables = project_code().variables("poll");
    assert!(variables.read.contains("ARRIVAL_DEADLINE_SECONDS"), "{variables:?}");
    assert!(!variables.required.contains("ARRIVAL_DEADLINE_SECONDS"));
}

/// Returns the AWS actions of a program with the libraries `app`, `aws` and `cases`. `case_files`
/// are the paths and texts of the library `cases`, and `main` is the text of the program's
/// `main.rs`.
fn actions_of(case_files: &[(&str, &str)], main: &str) -> Vec<String> {
    let read = |path: &Path| {
        let fixed_files = [("app.rs", APP), ("aws.rs", AWS), ("main.rs", main)];
        let mut files = fixed_files.iter().chain(case_files);
        files.find(|(name, _)| Path::new(name) == path).map(|(_, text)| (*text).to_owned())
    };
    let mut workspace = Workspace::default();
    for (name, file) in [("app", "app.rs"), ("aws", "aws.rs"), ("cases", "cases.rs")] {
        workspace.add_library(name, Path::new(file), &read).unwrap();
    }
    workspace.add_program(Path::new("main.rs"), &read).unwrap();
    let index = Index::of_workspace(&workspace);
    let types = Types {
        workspace: &workspace,
        index: &index,
        visible: Visible::of_workspace(&workspace, &index),
        sdk_operations: sdk::operations(&Paths::of_workspace().unwrap()).unwrap(),
    };
    let main = workspace.program(Path::new("main.rs")).unwrap();
    actions(&graph::reach(&types, main, &[])).into_iter().collect()
}

#[test]
fn type_parameters_and_associated_types_reach_the_same_methods() {
    for case in [
        "use app::Store; pub async fn run(store: &impl Store) { store.load(1).await; }",
        "use app::Store; pub async fn run<S>(store: &S) where S: Store { S::load(store, 1).await; }",
        "pub struct Cases<'a, P: app::Ports> { store: &'a P::Store }
         pub async fn run<P: app::Ports>(cases: &Cases<'_, P>) { cases.store.load(1).await; }",
        "pub async fn run<P: app::Ports>(store: &P::Store) { keep(|it| it.load(1)); }",
    ] {
        assert_eq!(actions_of(&[("cases.rs", case)], MAIN), ["dynamodb:GetItem"], "{case}");
    }
}

#[test]
fn function_that_moves_to_an_inner_module_is_still_reached() {
    let files = [
        ("cases.rs", "mod inner; pub use inner::deep::run;"),
        ("inner/mod.rs", "pub mod deep;"),
        ("inner/deep.rs", "use app::Store; pub fn run(store: &impl Store) { store.save(1); }"),
    ];
    assert_eq!(actions_of(&files, MAIN), ["dynamodb:PutItem"]);
}

#[test]
fn only_types_that_the_program_names_are_reached() {
    let cases = [("cases.rs", "use app::Store; pub fn run(it: &impl Store) { it.load(1); }")];
    let both = "fn main() { let other: aws::Other = f(); aws::Dynamo::new(c()); cases::run(&s); }";
    assert_eq!(actions_of(&cases, both), ["dynamodb:GetItem", "kms:Decrypt"]);
    assert_eq!(actions_of(&cases, "fn main() { cases::run(&s); }"), Vec::<String>::new());
}

#[test]
fn methods_that_are_invisible_to_the_caller_are_not_reached() {
    let cases = [("cases.rs", "pub fn run(found: &Found) { unknown().load(1); found.get(2); }")];
    assert_eq!(actions_of(&cases, MAIN), Vec::<String>::new());
}

#[test]
fn sdk_client_in_a_local_variable_is_recognized() {
    for body in [
        "let client = &self.client; client.list_tables();",
        "let client = Client::new(&config); client.list_tables();",
    ] {
        let case = format!(
            "use aws_sdk_dynamodb::Client; pub struct Own {{ client: Client }}
            impl Own {{ pub fn list(&self) {{ {body} }} }} pub fn run(own: &Own) {{ own.list() }}"
        );
        assert_eq!(actions_of(&[("cases.rs", &case)], MAIN), ["dynamodb:ListTables"], "{body}");
    }
}

#[test]
fn operation_on_a_client_of_unknown_type_is_found() {
    for body in [
        "self.with(|client| client.list_tables());",
        "self.clients.first().list_tables();",
        "self.client.clone().list_tables();",
        "self.pool.list_tables();",
        "Client::list_tables(&self.client);",
        "select!(found = client.list_tables() => found);",
    ] {
        let case = format!(
            "use aws_sdk_dynamodb::Client; pub struct Pool;
            pub struct Own {{ client: Client, clients: Clients, pool: Pool }}
            impl Own {{ pub fn list(&self) {{ {body} }} }} pub fn run(own: &Own) {{ own.list() }}"
        );
        assert_eq!(actions_of(&[("cases.rs", &case)], MAIN), ["dynamodb:ListTables"], "{body}");
    }
    let without_sdk = [("cases.rs", "pub fn run(own: &Own) { unknown().list_tables() }")];
    assert_eq!(actions_of(&without_sdk, MAIN), Vec::<String>::new());
}

#[test]
fn implementation_of_a_foreign_trait_counts_as_called_if_its_type_is_named() {
    let cases = |body| {
        format!(
            "use aws_sdk_dynamodb::Client; pub struct Own {{ client: Client }}
            impl Drop for Own {{ fn drop(&mut self) {{ self.client.list_tables(); }} }}
            pub fn run() {{ {body} }}"
        )
    };
    let named = cases("Own { client };");
    assert_eq!(actions_of(&[("cases.rs", &named)], MAIN), ["dynamodb:ListTables"]);
    assert_eq!(actions_of(&[("cases.rs", &cases(""))], MAIN), Vec::<String>::new());
}
