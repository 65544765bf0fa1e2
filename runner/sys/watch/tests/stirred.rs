//! Whatever is done to a small tree, every file that differs is told.

use super::*;

/// A generator that needs no crate: the same seed gives the same tree and the same moves.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Something that somebody does to a small tree; what fails (no such file) is nothing done.
fn stir(dice: &mut Dice, root: &Path) {
    let mut path = || {
        let depth = 1 + dice.roll(3);
        (0..depth).fold(root.to_owned(), |at, _| at.join(["a", "b", "c"][dice.roll(3) as usize]))
    };
    let (one, other) = (path(), path());
    let text = dice.roll(1 << 30).to_string();
    let _ = match dice.roll(8) {
        0 | 1 => fs::write(&one, text),
        2 => fs::create_dir_all(&one),
        3 => fs::remove_file(&one),
        4 => fs::remove_dir_all(&one),
        5 => symlink(["../a", "b", "c/a"][dice.roll(3) as usize], &one),
        _ => fs::rename(&one, &other),
    };
}

#[tokio::test]
async fn whatever_is_done_to_a_tree_every_file_that_differs_is_told() {
    let names = ["a", "b", "c"];
    for seed in 0..60 {
        let mut dice = Dice(seed);
        let ms = Duration::from_millis;
        let brisk = Pace { quiet: ms(1), burst_quiet: ms(2), open: ms(5), ..Pace::default() };
        let mut place = Place::with(&[], brisk);
        let mut paths: Vec<String> = names.map(str::to_owned).to_vec();
        for one in names {
            for two in names {
                paths.push(format!("{one}/{two}"));
                paths.extend(names.map(|three| format!("{one}/{two}/{three}")));
                paths.push(format!("{one}/{two}/"));
            }
        }
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        for _ in 0..40 {
            stir(&mut dice, &place.root);
        }
        place.follow(&paths);
        let seen = |place: &Place| -> Vec<(String, String)> {
            let look = |path: &&str| {
                let at = place.at(path);
                let found = match path.strip_suffix('/') {
                    Some(_) => format!("{:?}", Print::of(&Follow::Names(at))),
                    None => format!("{:?} {}", fs::read(&at).ok(), at.is_dir()),
                };
                ((*path).to_owned(), found)
            };
            paths.iter().map(look).collect()
        };
        for round in 0..8 {
            let before = seen(&place);
            for _ in 0..=dice.roll(6) {
                stir(&mut dice, &place.root);
            }
            let told = place.rest().await;
            for ((path, old), (_, new)) in before.iter().zip(seen(&place)) {
                assert!(
                    *old == new || told.contains(path),
                    "seed {seed}, round {round}: {path} was {old}, is {new}; told {told:?}"
                );
            }
        }
    }
}
