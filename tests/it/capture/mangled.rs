//! Packets that are lost, cut, doubled or out of order: the same answer, or none, but never another.

use super::packets::{Packet, RST, SYN};
use super::*;
use crate::support::dice::Dice;

/// How the handshakes ended, by the client's port.
fn by_port(report: &Value) -> Vec<(u64, String)> {
    let handshakes = report["handshakes"].as_array().unwrap().iter();
    let of = |it: &Value| {
        let port = it["client"].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap();
        let failure = &it["failure"];
        (port, format!("{} {} {}", it["result"], failure["class"], failure["by"]))
    };
    handshakes.map(of).collect()
}

struct Sample {
    packets: Vec<Packet>,
    expected: Vec<(u64, String)>,
}

impl Sample {
    fn new() -> Self {
        let pki = Pki::new();
        let packets = all_packets(&sample(&pki));
        let (report, _) = report_packets(&packets);
        let expected = by_port(&report);
        assert_eq!(expected.len(), 7, "{report:#}");
        assert!(expected.iter().all(|(_, it)| !it.contains("unclear")), "{expected:?}");
        Self { packets, expected }
    }

    /// Exactly the same answer.
    #[track_caller]
    fn same(&self, packets: &[Packet], what: &str) {
        let (report, _) = report_packets(packets);
        assert_eq!(by_port(&report), self.expected, "{what}");
    }

    /// The same answer or none; how many there are.
    #[track_caller]
    fn none_other(&self, file: &[u8], what: &str) -> usize {
        let (report, _) = report(file, &[]);
        let found = by_port(&report);
        for (port, ending) in &found {
            let known = self.expected.iter().any(|it| it == &(*port, ending.clone()));
            assert!(
                known || ending.contains("unclear"),
                "{what}: {port} {ending}\n{:?}\n{report:#}",
                self.expected
            );
        }
        found.iter().filter(|(_, ending)| !ending.contains("unclear")).count()
    }
}

fn report_packets(packets: &[Packet]) -> (Value, i32) {
    report(&file(packets), &[])
}

fn file(packets: &[Packet]) -> Vec<u8> {
    plain_pcap(&frames(packets, Link::Ethernet, false), Link::Ethernet)
}

#[test]
fn doubled_divided_and_reordered_packets_change_nothing() {
    let sample = Sample::new();
    let doubled: Vec<Packet> =
        sample.packets.iter().flat_map(|packet| [packet.clone(), packet.clone()]).collect();
    sample.same(&doubled, "doubled");
    let mut divided = Vec::new();
    for packet in &sample.packets {
        if packet.payload.is_empty() {
            divided.push(packet.clone());
        }
        for (place, part) in packet.payload.chunks(11).enumerate() {
            let sequence = packet.sequence.wrapping_add(u32::try_from(place * 11).unwrap());
            divided.push(Packet { sequence, payload: part.to_vec(), ..packet.clone() });
        }
    }
    sample.same(&divided, "divided");
    let mut swapped = sample.packets.clone();
    for pair in swapped.chunks_mut(2) {
        // A connection still begins with its SYN.
        if pair.len() == 2 && pair.iter().all(|packet| packet.flags & (SYN | RST) == 0) {
            pair.swap(0, 1);
        }
    }
    sample.same(&swapped, "swapped");
    let mut overlapping = Vec::new();
    for packet in &sample.packets {
        overlapping.push(packet.clone());
        if packet.payload.len() > 20 {
            let sequence = packet.sequence.wrapping_add(10);
            let payload = packet.payload[10..].to_vec();
            overlapping.push(Packet { sequence, payload, ..packet.clone() });
        }
    }
    sample.same(&overlapping, "overlapping");
}

#[test]
fn one_port_used_twice_is_two_connections() {
    let sample = Sample::new();
    let mut again: Vec<Packet> = sample.packets.clone();
    let shift = 10_000_000;
    again.extend(sample.packets.iter().map(|packet| Packet {
        sequence: packet.sequence.wrapping_add(77_000),
        acknowledged: packet.acknowledged.wrapping_add(77_000),
        time: packet.time + shift,
        ..packet.clone()
    }));
    let (report, _) = report_packets(&again);
    let twice = [sample.expected.clone(), sample.expected.clone()].concat();
    assert_eq!(by_port(&report), twice);
}

#[test]
fn lost_packets_never_give_another_answer() {
    let sample = Sample::new();
    let mut told = 0;
    for lost in 0..sample.packets.len() {
        let mut packets = sample.packets.clone();
        packets.remove(lost);
        told += sample.none_other(&file(&packets), &format!("without packet {lost}"));
    }
    // Most packets say nothing that another does not say as well.
    assert!(told > sample.packets.len() * 6, "{told} of {}", sample.packets.len() * 7);
    let mut dice = Dice(7);
    for round in 0..40 {
        let mut packets = sample.packets.clone();
        packets.retain(|_| dice.below(5) > 0);
        sample.none_other(&file(&packets), &format!("round {round}"));
    }
}

#[test]
fn one_direction_without_beginning_and_cut_frames_never_give_another_answer() {
    let sample = Sample::new();
    for by_client in [true, false] {
        let mut packets = sample.packets.clone();
        packets.retain(|packet| packet.by_client == by_client);
        sample.none_other(&file(&packets), &format!("one direction {by_client}"));
    }
    let mut packets = sample.packets.clone();
    packets.retain(|packet| packet.flags & SYN == 0);
    let told = sample.none_other(&file(&packets), "without SYN");
    assert!(told >= 5, "{told}");
    let whole = frames(&sample.packets, Link::Ethernet, false);
    for most in [54, 58, 60, 66, 80, 96, 128, 200, 256, 400, 700, 1000] {
        let cut: Vec<_> = whole.iter().cloned().map(|frame| frame.cut(most)).collect();
        sample.none_other(&plain_pcap(&cut, Link::Ethernet), &format!("cut at {most}"));
    }
    let bytes = file(&sample.packets);
    for share in 1..30 {
        let end = bytes.len() * share / 30;
        sample.none_other(&bytes[..end], &format!("the first {end} bytes"));
    }
}
