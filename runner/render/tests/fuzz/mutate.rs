//! Inputs out of seeds: bytes, lines and words changed, moved and mixed.

/// Words that mean something to one of the targets.
const WORDS: &[&str] = &[
    "machine:",
    "cluster:",
    "- ",
    ": ",
    "\n",
    "\n---\n",
    "{",
    "}",
    "[",
    "]",
    "&a ",
    "*a",
    "<<: *a",
    "$patch: delete",
    "kind: VolumeConfig\n",
    "apiVersion: v1alpha1\n",
    "name: x\n",
    "#",
    "\"",
    "'",
    "|\n",
    ">-\n",
    "!!binary ",
    "!!float ",
    "? ",
    "\t",
    "op: add\n",
    "path: /a/-\n",
    "from: /a\n",
    "%YAML 1.1\n",
    "\u{feff}",
    "\u{1f600}",
    "null",
    "~",
    "0x",
    "1e9999",
    "-0",
    "2001-01-01",
    "${DISK}",
    "${LIST}",
    "${ODD}",
    "${EMPTY}",
    "${A:-b}",
    "$$",
    "${",
    "{{ . }}",
    "{{ end }}",
    "{{ if 1 }}",
    "{{",
    "}}",
    "{{ range until 9 }}",
    "{{- ",
    " -}}",
    "| indent 9",
    "| repeat 99",
    "(",
    ")",
    "$x := ",
    "{{ template \"a\" }}",
    "{{ define \"a\" }}",
    "printf \"%d\"",
    "@file",
    "10.0.0.1/24",
    "fd00::/64",
    "999999999999999999999",
    "100%",
    "1GiB",
    "minSize:",
    "deviceSelector:",
    "interfaces:",
    "vlans:",
    "vlanId: 5",
    "patches:",
    "nodes:",
    "schematic:",
    "nodeLabels:",
    "encryption:",
    "extraArgs:",
    "\\u",
    "certSANs:",
    "\r\n",
    "  ",
    "    ",
    "...\n",
    "\u{0}",
    "\u{85}",
    "\u{2028}",
];

pub(super) struct Mutator {
    seeds: Vec<Vec<u8>>,
    state: u64,
}

impl Mutator {
    pub(super) fn new(seeds: Vec<Vec<u8>>, seed: u64) -> Mutator {
        Mutator { seeds, state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 }
    }

    fn below(&mut self, most: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state % most.max(1) as u64) as usize
    }

    pub(super) fn next(&mut self) -> Vec<u8> {
        let at = self.below(self.seeds.len());
        let mut input = self.seeds[at].clone();
        for _ in 0..=self.below(6) {
            self.mutate(&mut input);
        }
        // Some results are worth going on from.
        if input.len() < 20_000 && self.below(200) == 0 {
            let at = self.below(self.seeds.len());
            if self.seeds.len() < 2_000 {
                self.seeds.push(input.clone());
            } else {
                self.seeds[at].clone_from(&input);
            }
        }
        input
    }

    fn mutate(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len() + 1);
        match self.below(10) {
            0 if at < input.len() => input[at] = self.below(256) as u8,
            1 if at < input.len() => input[at] ^= 1 << self.below(8),
            2 => {
                let end = (at + self.below(20)).min(input.len());
                input.drain(at..end);
            }
            3 => {
                let end = (at + self.below(200)).min(input.len());
                let part = input[at..end].to_vec();
                let to = self.below(input.len() + 1);
                input.splice(to..to, part);
            }
            4 => {
                let other = self.below(self.seeds.len());
                let from = self.below(self.seeds[other].len() + 1);
                let end = (from + self.below(300)).min(self.seeds[other].len());
                let part = self.seeds[other][from..end].to_vec();
                input.splice(at..at, part);
            }
            5 => {
                // A line indented, or its indentation taken.
                let start =
                    input[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |n| n + 1);
                if self.below(2) == 0 {
                    input.splice(start..start, *b"  ");
                } else {
                    let spaces = input[start..].iter().take_while(|byte| **byte == b' ').count();
                    input.drain(start..start + spaces.min(2));
                }
            }
            6 => {
                let times = 1 + self.below(50);
                let word = WORDS[self.below(WORDS.len())].repeat(times);
                input.splice(at..at, word.into_bytes());
            }
            7 => {
                // A line somewhere else.
                let lines: Vec<Vec<u8>> =
                    input.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
                let line = lines.get(self.below(lines.len())).cloned().unwrap_or_default();
                let to = self.below(lines.len() + 1);
                let start: usize = lines[..to].iter().map(Vec::len).sum();
                input.splice(start..start, line);
            }
            _ => {
                let word = WORDS[self.below(WORDS.len())];
                input.splice(at..at, word.bytes());
            }
        }
    }
}
