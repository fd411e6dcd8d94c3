//! Promises about damaged bytes: parsing returns an error or a model that runs.
#![cfg(feature = "std")]

use runtime::Input;
use runtime::cpu::Cpu;
use runtime::graph::{Facts, Graph, Layer};
use runtime::latent::Latent;
use runtime::model::{Model, ModelError, key};
use runtime::op::{Activation, Op, Shape, Window};
use runtime::record::{ALIGNMENT, Buffer, Record, RecordError};

/// One layer of each kind, so that every line of the layer list can be damaged.
fn graph() -> Graph {
    let layer = |name: &str, op, activation, weight: usize, bias: usize| Layer {
        name: name.into(),
        op,
        activation,
        from: None,
        with: None,
        weight: (0..weight).map(|i| (i % 5) as f32 * 0.25 - 0.5).collect(),
        bias: vec![0.125; bias],
    };
    let window = |kernel, stride, padding| Window { kernel, stride, padding };
    let up = Op::ConvTranspose { out: 2, window: window(4, 2, 1) };
    let same = Op::Conv { out: 3, window: window(3, 1, 1) };
    let to = Shape::new(4, 2, 2);
    let (none, leaky) = (Activation::None, Activation::LeakyRelu(0.2));
    Graph {
        input: Input::Latent(3),
        layers: vec![
            layer("dense", Op::Dense { out: 16 }, none, 48, 16), // 16 x 1 x 1
            layer("shape", Op::Reshape { to }, none, 0, 0),      // 4 x 2 x 2
            layer("norm", Op::Affine, leaky, 4, 4),              // 4 x 2 x 2
            layer("up", up, Activation::Relu, 128, 2),           // 2 x 4 x 4
            layer("wide", Op::Resize { factor: 2 }, none, 0, 0), // 2 x 8 x 8
            layer("same", same, none, 54, 3),                    // 3 x 8 x 8
            layer("end", Op::Activate, Activation::Tanh, 0, 0),  // 3 x 8 x 8
        ],
        facts: Facts::default(),
    }
}

/// Parses, and runs the model if it parses and its arena is not huge.
fn try_all(bytes: &[u8]) {
    let buffer = Buffer::from(bytes);
    let Ok(model) = Model::parse_unverified(buffer.bytes()) else {
        return;
    };
    let need = model.arena_len();
    assert!(need >= model.output().values());
    assert_eq!(model.labels().count(), model.labels().count());
    if need < 1 << 16 {
        let mut arena = vec![0.0; need];
        let image = Cpu::new(&model, &mut arena)
            .unwrap()
            .generate(&Latent::from_seed(0))
            .unwrap()
            .pixels()
            .len();
        assert_eq!(image, model.output().plane());
    }
}

/// Where the metadata ends.
fn metadata_end(bytes: &[u8]) -> usize {
    10 + u32::from_le_bytes(bytes[6..10].try_into().unwrap()) as usize
}

#[test]
fn every_value_of_every_byte_of_the_metadata() {
    let bytes = graph().to_record().unwrap();
    let mut bytes_of_it = bytes.clone();
    for at in 0..metadata_end(&bytes) {
        for value in 0..=255 {
            bytes_of_it[at] = value;
            try_all(&bytes_of_it);
        }
        bytes_of_it[at] = bytes[at];
    }
}

#[test]
fn several_bytes_at_once() {
    let bytes = graph().to_record().unwrap();
    let end = metadata_end(&bytes);
    let mut state = 1u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % below
    };
    for _ in 0..20_000 {
        let mut damaged = bytes.clone();
        for _ in 0..1 + random(6) {
            damaged[random(end)] = random(256) as u8;
        }
        // Missing bytes move everything behind them.
        if random(4) == 0 {
            let from = random(end);
            damaged.drain(from..(from + 1 + random(9)).min(damaged.len()));
        }
        try_all(&damaged);
    }
}

#[test]
fn every_single_bit_of_the_weights_is_reported() {
    let bytes = graph().to_record().unwrap();
    let start = metadata_end(&bytes).next_multiple_of(ALIGNMENT);
    for bit in start * 8..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let buffer = Buffer::from(&damaged);
        let error = Model::parse(buffer.bytes()).unwrap_err();
        assert!(matches!(error, ModelError::Checksum(..)), "bit {bit}: {error}");
    }
}

#[test]
fn a_small_file_cannot_ask_for_a_huge_arena() {
    let mut huge = graph();
    let window = Window { kernel: 1, stride: 1, padding: 8000 };
    huge.layers.truncate(1);
    huge.layers[0].op = Op::Conv { out: 1, window };
    huge.input = Input::Latent(1024);
    huge.layers[0].weight = vec![0.5; 1024];
    huge.layers[0].bias = vec![];
    let error = huge.to_record().unwrap_err().to_string();
    assert_eq!(error, "layer 0 (dense): a tensor of more than 268435456 values");
}

#[test]
fn a_slope_is_a_finite_number() {
    for slope in [f32::NAN, f32::INFINITY] {
        let mut graph = graph();
        graph.layers[2].activation = Activation::LeakyRelu(slope);
        let error = graph.to_record().unwrap_err().to_string();
        assert_eq!(error, "layer 2 (norm): the activation has a value that is not finite");
    }
}

/// A record of these CBOR bytes and `data` zero bytes.
fn record(cbor: &[u8], data: usize) -> Vec<u8> {
    let mut bytes = b"NRUB\x01\x00".to_vec();
    bytes.extend((cbor.len() as u32).to_le_bytes());
    bytes.extend(cbor);
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT) + data, 0);
    bytes
}

/// A tensor `t` of type `F32` with these CBOR bytes for its dimensions and offsets.
fn tensor(sides: &[u8], place: &[u8]) -> Vec<u8> {
    [b"\xa1\x67tensors\xa1\x61t\xa3\x65dtype\x63F32\x65shape", sides, b"\x6cdata_offsets", place]
        .concat()
}

#[test]
fn hostile_metadata() {
    let one = b"\x81\x01";
    let all = b"\x1b\xff\xff\xff\xff\xff\xff\xff\xff";
    let with = |before: &[u8], after: &[u8]| [before, after].concat();
    // A description begins at byte 10 + 1 + 8 + 1 + 2 of the file.
    const AT: usize = 22;
    let at = AT;
    let cases: [(&str, Vec<u8>, RecordError); 13] = [
        ("no map", b"\x01".to_vec(), RecordError::Cbor(10)),
        ("nothing", vec![], RecordError::Cbor(10)),
        ("a map without end", b"\xbf\xff".to_vec(), RecordError::Cbor(11)),
        ("more entries than bytes", with(b"\xbb", &all[1..]), RecordError::Cbor(10)),
        ("a text of 2^64 - 1 bytes", with(b"\xa1\x7b", &all[1..]), RecordError::Cbor(20)),
        ("a text that is no UTF-8", b"\xa1\x62\xff\xfe\x00".to_vec(), RecordError::Cbor(11)),
        ("a reserved length", b"\xa1\x61x\x1c".to_vec(), RecordError::Cbor(14)),
        ("an array of 2^64 - 1 unknowns", with(b"\xa1\x61x\x9b", &all[1..]), RecordError::Cbor(22)),
        ("five sides", tensor(b"\x85\x01\x01\x01\x01\x01", b"\x82\x00\x04"), RecordError::Rank(at)),
        ("one place", tensor(one, b"\x81\x00"), RecordError::Cbor(at)),
        ("no place", b"\xa1\x67tensors\xa1\x61t\xa0".to_vec(), RecordError::Cbor(at)),
        (
            "an end before the start",
            tensor(one, b"\x82\x04\x00"),
            RecordError::Tensor { at, end: 256, len: 260 },
        ),
        (
            "an end that overflows",
            tensor(one, &with(b"\x82\x00", all)),
            RecordError::Tensor { at, end: u64::MAX, len: 260 },
        ),
    ];
    for (what, cbor, want) in cases {
        assert_eq!(Record::parse(&record(&cbor, 4)).unwrap_err(), want, "{what}");
    }
    let fits = record(&tensor(one, b"\x82\x00\x04"), 4);
    assert_eq!(Record::parse(&fits).unwrap().tensor(|n| n == "t").unwrap().bytes, [0; 4]);
    assert!(Record::parse(&fits[..fits.len() - 1]).is_err());
}

#[test]
fn unknown_values_are_skipped() {
    let kinds: [&[u8]; 10] = [
        b"\x18\x2a",                 // 42
        b"\x20",                     // -1
        b"\x42\x00\xff",             // bytes
        b"\x61x",                    // text
        b"\x82\x01\x81\x02",         // [1, [2]]
        b"\xa1\x61k\xa1\x61k\x80",   // {k: {k: []}}
        b"\xc1\x00",                 // a tag
        b"\xf6",                     // null
        b"\xf9\x3c\x00",             // a half
        b"\xfb\x3f\xf0\0\0\0\0\0\0", // a double
    ];
    for kind in kinds {
        let tensors = b"\x67tensors\xa0\x68metadata\xa1\x61k\x61v";
        let cbor = [b"\xa3\x67unknown", kind, tensors].concat();
        let bytes = record(&cbor, 0);
        assert_eq!(Record::parse(&bytes).unwrap().get("k"), Some("v"), "{kind:x?}");
    }
    // Deep nesting takes no stack: the walk is a loop.
    let deep = [b"\xa1\x61x".to_vec(), vec![0x81; 1 << 20], vec![0]].concat();
    assert!(Record::parse(&record(&deep, 0)).is_ok());
}

#[test]
fn an_operation_or_key_of_another_version_is_named() {
    let bytes = graph().to_record().unwrap();
    let swap = |from: &str, to: &str| {
        let at = bytes.windows(from.len()).position(|w| w == from.as_bytes()).expect(from);
        let mut bytes = bytes.clone();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        let buffer = Buffer::from(&bytes);
        Model::parse_unverified(buffer.bytes()).unwrap_err().to_string()
    };
    let cases = [
        ("end Activate Tanh", "end Activate Tank", "layer 6: \"end Activate Tank\" is not a layer"),
        ("same Conv 3 3 1 1", "same Conv 3 3 0 1", "layer 5 (same): the stride is 0"),
        ("wide Resize 2", "wide Resize 0", "layer 4 (wide): the factor is 0"),
        (
            "shape Reshape 4 2 2",
            "shape Reshape 4 2 3",
            "layer 1 (shape): 16 x 1 x 1 values cannot become 4 x 2 x 3",
        ),
        (
            "up ConvTranspose 2 4 2 1",
            "up ConvTranspose 2 4 2 9",
            "layer 3 (up): kernel 4, stride 2 and padding 9 do not fit an input of 4 x 2 x 2",
        ),
        (
            "norm Affine LeakyRelu 0.2",
            "norm Affine LeakyRelu 0.x",
            "layer 2: \"norm Affine LeakyRelu 0.x\" is not a layer",
        ),
    ];
    for (from, to, want) in cases {
        assert_eq!(swap(from, to), want);
    }
    assert_eq!(
        swap("pocket-gan.format", "pocket-gan.fromat"),
        format!("the record has no {:?}: it is not an exported generator", key::FORMAT)
    );
}
