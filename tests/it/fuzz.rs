//! The fuzz targets: each reads its seeds and some hundred mutations of them without a panic, and none is forgotten.

#[path = "../../fuzz/bodies/mod.rs"]
mod bodies;

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::Path;
use std::thread;

use self::bodies::{FuzzTarget, TARGETS};
use crate::support::dice::Dice;

/// Inputs of each target.
const INPUTS: usize = 150;

/// The longest input.
const MAX_INPUT: usize = 64 * 1024;

#[test]
fn mutated_seeds_are_read_without_a_panic() {
    thread::scope(|scope| {
        for half in TARGETS.chunks(TARGETS.len().div_ceil(2)) {
            scope.spawn(|| half.iter().for_each(read_mutations));
        }
    });
}

fn read_mutations(target: &FuzzTarget) {
    let seeds = (target.seeds)();
    assert!(!seeds.is_empty(), "{}", target.name);
    for seed in &seeds {
        (target.body)(seed);
    }
    let mut dice = Dice(7);
    for _ in 0..INPUTS {
        let input = mutated(&seeds, target.words, &mut dice);
        let read = catch_unwind(|| (target.body)(&input));
        assert!(read.is_ok(), "{} panics on b\"{}\"", target.name, input.escape_ascii());
    }
}

/// A seed after some changes.
fn mutated(seeds: &[Vec<u8>], words: &[&str], dice: &mut Dice) -> Vec<u8> {
    let mut input = dice.pick(seeds).clone();
    for _ in 0..=dice.below(4) {
        let at = dice.below(input.len());
        let end = (at + 1 + dice.below(32)).min(input.len());
        let part = input.get(at..end).unwrap_or_default().to_vec();
        match dice.below(7) {
            0 => input.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (at % 8)),
            1 => input
                .iter_mut()
                .skip(at)
                .take(1)
                .for_each(|byte| *byte = [0, 0x7f, 0x80, 0xff][at % 4]),
            2 => drop(input.drain(at..end)),
            3 => drop(input.splice(at..at, part.repeat(1 + dice.below(40)))),
            4 => input.truncate(at),
            5 => {
                let other = dice.pick(seeds);
                input.truncate(at);
                input.extend(&other[dice.below(other.len())..]);
            }
            _ if words.is_empty() => input.reverse(),
            _ => drop(input.splice(at..at, dice.pick(words).bytes())),
        }
    }
    input.truncate(MAX_INPUT);
    input
}

#[test]
fn every_target_has_its_program() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let programs = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let names: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    let entries = fs::read_dir(folder.join("targets")).unwrap();
    let stem = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let files: BTreeSet<String> = entries.map(|entry| stem(&entry.unwrap().path())).collect();
    assert_eq!(files, names);
    for name in &names {
        let text = fs::read_to_string(folder.join(format!("targets/{name}.rs"))).unwrap();
        assert!(text.contains(&format!("run(\"{name}\", bytes)")), "{text}");
        assert!(
            programs.contains(&format!("name = \"{name}\"\npath = \"targets/{name}.rs\"")),
            "{name}"
        );
    }
}
