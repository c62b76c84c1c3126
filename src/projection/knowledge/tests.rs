use super::condition::{Holds, Look, Wrong};
use super::names::{NameId, Value};
use super::*;

/// Some evidence, by name.
struct Told(Vec<(&'static str, Value)>);

impl Look for Told {
    fn look(&self, name: NameId) -> Option<&Value> {
        self.0.iter().find(|(key, _)| names::find(key) == Some(name)).map(|(_, v)| v)
    }
}

fn evidence() -> Told {
    Told(vec![
        ("token.dead_by_s", Value::Number(12.4)),
        ("skew_s", Value::Number(-3.1)),
        ("answer.text", Value::Text("Session token is INVALID; it's over".into())),
        ("answer.status", Value::Number(401.0)),
        ("request.guest", Value::Text("g1".into())),
        ("ids.guest", Value::Text("G1".into())),
        ("scope.missing", Value::List(vec!["guest:create".into()])),
        ("scope.granted", Value::List(vec![])),
        ("token.corrupted", Value::Flag(false)),
        ("close.reason", Value::Text("  ".into())),
    ])
}

fn holds(text: &str) -> Holds {
    Condition::parse(text).unwrap_or_else(|e| panic!("{text}: {e}")).holds(&evidence())
}

#[test]
fn conditions_hold_fail_or_are_open() {
    for text in [
        "token.dead_by_s > 0",
        "token.dead_by_s <= 12.4",
        "token.dead_by_s > skew_s",
        "skew_s abs > 3",
        "skew_s < 0",
        "answer.status in (400, 401)",
        "answer.text contains 'session TOKEN'",
        "answer.text contains 'it''s'",
        "answer.text not contains 'guest'",
        "answer.text begins 'session'",
        "request.guest == ids.guest",
        "request.guest != 'g2'",
        "request.guest in ('g2', 'g1')",
        "scope.missing contains 'guest:create'",
        "scope.missing not empty",
        "scope.granted empty",
        "close.reason empty",
        "token.corrupted is no",
        "token.name unknown",
        "token.dead_by_s known",
        "token.left_s > 0 or token.dead_by_s > 0",
    ] {
        assert_eq!(holds(text), Holds::Yes, "{text}");
    }
    for text in [
        "token.dead_by_s < 0",
        "skew_s abs > 5",
        "answer.text contains 'revoked'",
        "request.guest != ids.guest",
        "scope.missing contains 'guest'",
        "token.corrupted is yes",
        "token.name known",
        "token.corrupted is yes or skew_s > 0",
    ] {
        assert_eq!(holds(text), Holds::No, "{text}");
    }
    for text in
        ["token.left_s > 0", "token.dead_by_s > token.left_s", "token.name empty", "token.left_s > 0 or skew_s > 0"]
    {
        assert_eq!(holds(text), Holds::Unknown, "{text}");
    }
}

#[test]
fn conditions_that_say_nothing_are_refused() {
    let wrong = |text: &str| Condition::parse(text).expect_err(text);
    assert_eq!(wrong(""), Wrong::Empty);
    assert_eq!(wrong("token.colour > 0"), Wrong::NoSuchName("token.colour".into()));
    assert_eq!(wrong("token.name == token.colour"), Wrong::NoSuchName("token.colour".into()));
    assert_eq!(wrong("token.dead_by_s"), Wrong::NoTest("token.dead_by_s".into()));
    assert_eq!(wrong("token.dead_by_s resembles 3"), Wrong::NoSuchTest("resembles".into()));
    assert_eq!(wrong("token.dead_by_s >"), Wrong::NoValue(">".into()));
    assert_eq!(wrong("token.dead_by_s > soon"), Wrong::NoSuchName("soon".into()));
    assert_eq!(wrong("token.dead_by_s > 'x'"), Wrong::NoNumber("'x'".into()));
    assert_eq!(wrong("answer.text contains 'x"), Wrong::OpenText("'x".into()));
    assert_eq!(wrong("token.dead_by_s > 0 1"), Wrong::TooMuch("1".into()));
    assert_eq!(wrong("token.corrupted is perhaps"), Wrong::NoValue("is".into()));
    for text in [
        "token.corrupted > 0",
        "token.name > 'x'",
        "scope.missing == 'x'",
        "token.dead_by_s contains 'x'",
        "token.dead_by_s empty",
        "token.name is yes",
        "token.dead_by_s > token.name",
        "scope.missing begins 'x'",
    ] {
        assert!(matches!(wrong(text), Wrong::WrongSort { .. }), "{text}: {}", wrong(text));
    }
    for text in [
        "or",
        "a or",
        "> 3",
        "token.name in",
        "token.name in ('a'",
        "token.name in ('a' 'b')",
        "!!",
        "token.name = 'a'",
    ] {
        wrong(text);
    }
}

#[test]
fn a_sentence_is_said_with_the_evidence_and_without_what_is_not_known() {
    let say = |text: &str| Sentence::parse(text).unwrap().say(&evidence());
    assert_eq!(say("Dead for {token.dead_by_s}[[, by {token.by}]]."), "Dead for 12.4 s.");
    assert_eq!(say("Dead[[ for {token.dead_by_s}]], {token.name}"), "Dead for 12.4 s, (not known)");
    assert_eq!(say("Missing: {scope.missing}; granted: {scope.granted}"), "Missing: guest:create; granted: none");
    for text in ["{token.colour}", "{token.name", "[[x", "x]]", "[[ {nothing} ]]"] {
        assert!(Sentence::parse(text).is_err(), "{text}");
    }
}

#[test]
fn every_cause_that_comes_with_the_program_can_be_read_and_mended() {
    let mut ids = HashSet::new();
    for (file, text) in FILES {
        let known = read(file, text).unwrap_or_else(|e| panic!("{}", e.text()));
        assert!(!known.causes.is_empty() || !known.rules.is_empty(), "{file}");
        for cause in known.causes {
            assert!(ids.insert(cause.id.clone()), "{} stands twice", cause.id);
            assert!(!cause.fix.is_empty() && !cause.would_decide.trim().is_empty() && !cause.source.trim().is_empty());
            assert!(!cause.title.ends_with('.') && !cause.title.is_empty(), "{}", cause.id);
        }
    }
    let all = Knowledge::embedded();
    assert_eq!(all.causes.len(), ids.len());
    for cause in &all.causes {
        for other in &cause.yields_to {
            assert!(ids.contains(other), "{} yields to {other}, which is not there", cause.id);
        }
    }
}

#[test]
fn the_page_for_testers_names_all_evidence_and_its_example_is_read() {
    let page = include_str!("../../../assets/knowledge/README.md");
    for name in names::all() {
        let group = ["bearer.", "guest.", "handshake."].iter().any(|g| name.key.starts_with(g));
        assert!(group || page.contains(&format!("| `{}` |", name.key)), "{} is not told there", name.key);
    }
    let told = page.lines().filter_map(|l| l.strip_prefix("| `")?.split_once("` | ")?.0.split_once('.').map(|_| l));
    for line in told.filter(|l| l.matches('|').count() == 4) {
        let key = line.trim_start_matches("| `").split('`').next().unwrap_or_default();
        assert!(names::find(key).is_some(), "{key} is told there, and not known");
    }
    let example = page.split("```yaml").nth(1).and_then(|t| t.split("```").next()).unwrap();
    assert_eq!(read("README.md", example).unwrap().causes.len(), 1);
    let rule = page.split("```yaml").nth(2).and_then(|t| t.split("```").next()).unwrap();
    assert_eq!(read("README.md", rule).unwrap().rules.len(), 1);
}

const OWN: &str = "causes:
  - id: own-cause
    title: Own
    of: [http 418]
    needs:
      - answer.text contains 'teapot'
    says: It is one.
    fix: [Use another.]
    would_decide: Its shape.
    source: a tester
";

#[test]
fn mistakes_in_a_file_are_told_with_file_line_and_cause() {
    let cases = [
        ("answer.text contains 'teapot'", "answer.txt contains 'teapot'", "line 6", "answer.txt"),
        ("http 418", "htp 418", "line 4", "htp 418"),
        ("It is one.", "\"It is {token.colour}.\"", "line 7", "token.colour"),
        ("[Use another.]", "[]", "line 2", "fix"),
        ("id: own-cause", "id: Own Cause", "line 2", "small letters"),
        ("title: Own", "titel: Own", "line 3", "titel"),
        ("    source: a tester", "    source: a tester\n    dialects: [klingon]", "line 11", "klingon"),
        ("    source: a tester", "    source: a tester\n    yields_to: [A b]", "line 11", "A b"),
    ];
    for (from, to, line, word) in cases {
        let report = read("own.yaml", &OWN.replace(from, to)).expect_err(to);
        assert_eq!(report.code, "bad-knowledge");
        for part in ["own.yaml", line, word] {
            assert!(report.what.contains(part), "{part} is missing: {}", report.what);
        }
    }
    assert!(read("own.yaml", "causes: 3").is_err() && read("own.yaml", "- x").is_err());
    let twice = format!("{OWN}{}", OWN.trim_start_matches("causes:\n"));
    assert!(read("own.yaml", &twice).unwrap_err().what.contains("twice"));
}

#[test]
fn files_of_a_tester_add_and_replace_and_a_broken_one_harms_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("a.yaml", OWN);
    write("b.yml", &OWN.replace("own-cause", "server-error").replace("title: Own", "title: Ours"));
    write("c.yaml", &OWN.replace("http 418", "nonsense"));
    write("d.yaml", OWN);
    write("notes.txt", "not looked at");
    let (all, reports) = Knowledge::with_folder(folder.path());
    assert_eq!(all.causes.len(), Knowledge::embedded().causes.len() + 1);
    assert!(all.ids().any(|id| id == "own-cause"));
    let replaced = all.causes.iter().find(|c| c.id == "server-error").unwrap();
    assert_eq!(replaced.title, "Ours");
    let told: Vec<_> = reports.iter().map(|r| r.what.as_str()).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("c.yaml") && told[1].contains("d.yaml") && told[1].contains("earlier file"), "{told:?}");
    let (none, reports) = Knowledge::with_folder(&folder.path().join("not-there"));
    assert_eq!((none.causes.len(), reports.len()), (Knowledge::embedded().causes.len(), 0));
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[ -~ä“\n]{0,80}") {
        let _ = (Condition::parse(&text), Sentence::parse(&text), read("x", &text));
        let _ = Condition::parse(&format!("token.name {text}"));
    }
}

/// A comma in a list of YAML without quotes makes two items of one sentence.
#[test]
fn all_that_people_read_is_whole_sentences() {
    let mut broken = Vec::new();
    for cause in &Knowledge::embedded().causes {
        let is_sentence = |t: &str| t.starts_with(|c: char| !c.is_lowercase()) && t.ends_with(['.', ')', '?']);
        let sentences = cause.fix.iter().chain([&cause.would_decide]);
        broken.extend(sentences.filter(|t| !is_sentence(t)).map(|t| format!("{}: {t}", cause.id)));
        if cause.title.ends_with('.') || cause.title.starts_with(char::is_lowercase) {
            broken.push(format!("{}: {}", cause.id, cause.title));
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}
