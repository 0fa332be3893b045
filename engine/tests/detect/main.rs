//! `tidewatch detect`: cases that were worked out by hand, and those of the reference implementation where they are at hand.
#![expect(
    clippy::disallowed_methods,
    reason = "tests write and read files of their own, and find those of the reference"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

/// Relative difference of a probability that is none; the reference allows so much.
const P_TOLERANCE: f64 = 1e-6;
/// The same of all other numbers.
const TOLERANCE: f64 = 1e-9;

fn run(vectors: &Path) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_tidewatch"));
    program.args(["detect", "--vectors"]).arg(vectors).output().expect("the program starts")
}

/// The objects that the program prints for some vectors, one a line.
fn detected(vectors: &Path) -> Vec<Value> {
    let output = run(vectors);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let lines = String::from_utf8(output.stdout).expect("it prints UTF-8");
    lines.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

fn written(vectors: &Value) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a place for files");
    let file = folder.path().join("vectors.json");
    fs::write(&file, vectors.to_string()).expect("the file is written");
    (folder, file)
}

fn is_close(found: f64, expected: f64, tolerance: f64) -> bool {
    (found - expected).abs() <= tolerance * expected.abs()
}

/// Whether a figure is the expected one: words and truths exactly, numbers within what their key allows.
fn agrees(key: &str, found: &Value, expected: &Value) -> bool {
    match (found.as_f64(), expected.as_f64()) {
        (Some(found), Some(expected)) => {
            let tolerance = if matches!(key, "p" | "decline_p") { P_TOLERANCE } else { TOLERANCE };
            is_close(found, expected, tolerance)
        }
        _ => found == expected,
    }
}

/// An account with ten events on each of 91 days and these in the last week, in a fleet without weekdays or holidays.
fn case(name: &str, last_week: [f64; 7], params: &Value, expect: &Value) -> Value {
    let counts: Vec<f64> = std::iter::repeat_n(10.0, 91).chain(last_week).collect();
    json!({
        "name": name,
        "input": {
            "counts": counts,
            "age_days": 400,
            "fleet_factor": vec![1.0; 98],
            "weekday_prior": vec![1.0 / 7.0; 7],
            "week_index": vec![1.0; 14],
            "params": params,
        },
        "expect": expect,
    })
}

#[test]
fn cases_worked_out_by_hand_agree() {
    // Eight weeks of 70 do not scatter: φ = 8 (1 + 0.04 · 70) / 15, and p = (8/9)^(560/φ + 1/2). Of the last day alone:
    // p = (8/9)^80.5 with φ = 1, on the scale of a week its cube root.
    let dispersion: f64 = 8.0 * (1.0 + 0.04 * 70.0) / 15.0;
    let stopped = json!({
        "alert": true, "p": (8.0_f64 / 9.0).powf(560.0 / dispersion + 0.5), "branch": "count7", "drop": 1.0,
        "expected": 70.0, "severity": "critical", "confidence": 0.99, "decline_alert": false,
    });
    let paused = json!({
        "alert": false, "p": (8.0_f64 / 9.0).powf(80.5 / 3.0), "branch": "count1", "drop": 1.0, "severity": null,
    });
    let eager = json!({ "alert": true, "branch": "count1", "severity": "high" });
    let even = json!({
        "alert": false, "p": 1.0, "branch": "none", "drop": 0.0, "confidence": null, "text": null, "decline_alert": false,
    });
    let last_day = [10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 0.0];
    let cases = [
        case("a week of silence", [0.0; 7], &json!({}), &stopped),
        case("a day of silence", last_day, &json!({}), &paused),
        case("a day of silence, eager", last_day, &json!({ "alpha": 0.05 }), &eager),
        case("as ever", [10.0; 7], &json!({}), &even),
    ];
    // Eight accounts of 20 a day, at 10 now; the noise is 1.4826 ln 1.03, and l = ln ½ outside of it.
    let history = vec![[10.0, 20.0, 20.0, 20.0, 20.0, 20.0, 20.0, 20.0, 20.0]; 8];
    let (half, noise) = (0.5_f64.ln(), 1.4826 * 1.03_f64.ln());
    let blocks: Vec<Vec<(f64, f64)>> =
        vec![(0..8).map(|week| (if week % 2 == 0 { 80.0 } else { 120.0 }, 1.0)).collect(); 20];
    let (_folder, file) = written(&json!({
        "cases": cases,
        "betainc": [{ "a": 9, "b": 2, "x": 0.1 }, { "a": 24.5, "b": 1, "x": 0.5 }],
        "fleet": {
            "history": history,
            "previous": vec![1.03; 56],
            "status": [{ "raw": 0.1, "silent_share": 0.95 }, { "raw": 0.1, "silent_share": 0.5 }, { "raw": 0.9, "silent_share": 0.1 }],
        },
        "fleet_c0": { "blocks": blocks },
    }));
    let found = detected(&file);
    let [first, second, third, fourth, betainc, fleet, c0] = found.as_slice() else { panic!("{found:?}") };
    for (found, case) in [first, second, third, fourth].into_iter().zip(&cases) {
        assert_eq!(found["name"], case["name"]);
        let (told, expected) = (found.as_object().unwrap(), case["expect"].as_object().unwrap());
        assert_eq!(told.len(), 1 + expected.len(), "the name and the keys of what is expected: {found}");
        for (key, expected) in expected {
            assert!(
                agrees(key, &told[key], expected),
                "{} {key}: {} is not {expected}",
                case["name"],
                told[key]
            );
        }
    }
    // P(at least 9 of 10) at 1/10, and x^a.
    let [binomial, power] = [0, 1].map(|index| betainc["betainc"][index].as_f64().unwrap());
    assert!(
        is_close(binomial, 9.1e-9, TOLERANCE) && is_close(power, 0.5_f64.powf(24.5), TOLERANCE),
        "{betainc}"
    );
    let shrunk = (half.powi(3) / (half * half + noise * noise)).exp();
    let fleet = &fleet["fleet"];
    assert!(is_close(fleet["raw"].as_f64().unwrap(), 0.5, TOLERANCE), "{fleet}");
    assert!(is_close(fleet["shrunk"].as_f64().unwrap(), shrunk, TOLERANCE), "{fleet}");
    assert_eq!(fleet["status"], json!(["telemetry_missing", "fleet_lull", "normal"]));
    // Σ (n − 100)²/100 = 32, over 7 less 1, over 100.
    assert!(is_close(c0["fleet_c0"].as_f64().unwrap(), 25.0 / 700.0, TOLERANCE), "{c0}");
}

#[test]
fn a_file_that_says_too_little_is_refused_by_what_it_lacks() {
    let refused = |vectors: &Value| {
        let (_folder, file) = written(vectors);
        let output = run(&file);
        assert!(!output.status.success(), "{vectors}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let mut short = case("short", [0.0; 7], &json!({}), &json!({ "p": 1 }));
    short["input"]["counts"].as_array_mut().unwrap().pop();
    let said = refused(&json!({ "cases": [short] }));
    assert!(said.contains("the case \"short\"") && said.contains("counts has 97 numbers, not 98"), "{said}");
    let unknown = case("unknown", [0.0; 7], &json!({ "alpa": 1 }), &json!({}));
    let said = refused(&json!({ "cases": [unknown] }));
    assert!(said.contains("\"alpa\" is no parameter of the detector"), "{said}");
    let other = case("other", [0.0; 7], &json!({}), &json!({ "q": 1 }));
    let said = refused(&json!({ "cases": [other] }));
    assert!(said.contains("\"q\" is expected"), "{said}");
    assert!(refused(&json!([])).contains("holds no vectors"));
}

/// The file of the reference, from where `TIDEWATCH_DROP_VECTORS` says or from beside the project.
fn reference() -> PathBuf {
    let beside =
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/design/drop-reference/vectors.json");
    std::env::var_os("TIDEWATCH_DROP_VECTORS").map_or_else(beside, PathBuf::from)
}

#[test]
#[ignore = "needs the drop vectors"]
fn all_drop_vectors_agree() {
    let file = reference();
    let text = fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("{}: {error}; set TIDEWATCH_DROP_VECTORS", file.display()));
    let expected: Value = serde_json::from_str(&text).unwrap();
    let cases = expected["cases"].as_array().unwrap();
    let found = detected(&file);
    assert_eq!(found.len(), cases.len() + 3);
    let mut differences = Vec::new();
    for (found, case) in found.iter().zip(cases) {
        assert_eq!(found["name"], case["name"]);
        for (key, expected) in case["expect"].as_object().unwrap() {
            if !agrees(key, &found[key], expected) {
                differences.push(format!("{} {key}: {} is not {expected}", case["name"], found[key]));
            }
        }
    }
    let [betainc, fleet, c0] = &found[cases.len()..] else { panic!("{found:?}") };
    let mut hold = |what: String, found: &Value, expected: &Value, tolerance: f64| {
        let (found, expected) = (found.as_f64().unwrap(), expected.as_f64().unwrap());
        if !is_close(found, expected, tolerance) {
            differences.push(format!("{what}: {found:e} is not {expected:e}"));
        }
    };
    for (index, vector) in expected["betainc"].as_array().unwrap().iter().enumerate() {
        hold(format!("betainc {vector}"), &betainc["betainc"][index], &vector["value"], P_TOLERANCE);
    }
    for key in ["raw", "shrunk"] {
        hold(format!("fleet {key}"), &fleet["fleet"][key], &expected["fleet"][key], TOLERANCE);
    }
    hold("fleet_c0".to_owned(), &c0["fleet_c0"], &expected["fleet_c0"]["value"], TOLERANCE);
    let status: Vec<&Value> =
        expected["fleet"]["status"].as_array().unwrap().iter().map(|day| &day["status"]).collect();
    assert_eq!(fleet["fleet"]["status"].as_array().unwrap().iter().collect::<Vec<_>>(), status);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
