#!/usr/bin/env python3
"""Asks llama.cpp's own quantiser for the size of every model of tests/data/quantizer-models.toml in every mix.

usage: scripts/quantizer-oracle.py PATH/TO/llama-quantize VERSION > tests/data/sizes-extended.csv

The models are written as sparse F16 files (a header and a hole), for which `llama-quantize --dry-run` needs neither weights nor memory.
Python 3.11 or later, no packages. The tests do not run this: they read what it wrote.
"""
import collections
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import tomllib

MIXES = """Q1_0 IQ1_S TQ1_0 IQ1_M TQ2_0 IQ2_XXS Q2_0 IQ2_XS IQ2_S IQ2_M Q2_K_S Q2_K IQ3_XXS IQ3_XS Q3_K_S IQ3_S IQ3_M Q3_K_M Q3_K_L
IQ4_XS MXFP4_MOE Q4_0 IQ4_NL Q4_K_S Q4_K_M Q4_1 Q5_0 Q5_K_S Q5_K_M Q5_1 Q6_K Q8_0 BF16 F16""".split()
# the mixes in which some tensor's type depends on whether there is an importance matrix
MATRIX_MATTERS = "IQ3_XXS IQ4_XS Q4_0 IQ4_NL Q5_0".split()
U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
ALIGNMENT = 32


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def metadata_value(value):
    """The GGUF type and bytes of a value."""
    if isinstance(value, bool):
        return BOOL, struct.pack("<?", value)
    if isinstance(value, int):
        return U32, struct.pack("<I", value)
    if isinstance(value, float):
        return F32, struct.pack("<f", value)
    if isinstance(value, str):
        return STRING, text(value)
    kind = metadata_value(value[0])[0]
    kind = I32 if kind == U32 else kind
    return ARRAY, struct.pack("<IQ", kind, len(value)) + b"".join(metadata_value(item)[1] for item in value)


def expand(name):
    """The names that a name with a list of layers stands for."""
    match = re.search(r"\bblk\.([0-9,-]+)\.", name)
    if not match:
        return [name]
    layers = []
    for part in match[1].split(","):
        first, _, last = part.partition("-")
        layers += range(int(first), int(last or first) + 1)
    return [f"{name[:match.start(1)]}{layer}{name[match.end(1):]}" for layer in layers]


def tensors(lines):
    for line in lines.split("\n"):
        if not line.strip():
            continue
        name, *shape = line.split()
        single = len(shape) == 1 or shape[-1] == "f32"
        shape = [int(size) for size in shape if size != "f32"]
        for expanded in expand(name):
            yield expanded, shape, 0 if single else 1


def write_gguf(path, metadata, weights):
    """A GGUF of these (name, shape, ggml type, element size) with a hole instead of data."""
    header = b"GGUF" + struct.pack("<IQQ", 3, len(weights), len(metadata))
    for key, value in metadata.items():
        kind, data = metadata_value(value)
        header += text(key) + struct.pack("<I", kind) + data
    offset = 0
    infos = []
    for name, shape, kind, element in weights:
        infos.append(text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset))
        size = element
        for length in shape:
            size *= length
        offset += -(-size // ALIGNMENT) * ALIGNMENT
    header += b"".join(infos)
    header += bytes(-len(header) % ALIGNMENT)
    with open(path, "wb") as file:
        file.write(header)
        file.truncate(len(header) + offset)


def write_model(path, model):
    architecture = model["architecture"]
    metadata = {"general.architecture": architecture}
    for key, value in model["metadata"].items():
        metadata[f"{architecture}.{key}"] = value
    weights = [(name, shape, kind, 4 if kind == 0 else 2) for name, shape, kind in tensors(model["tensors"])]
    write_gguf(path, metadata, weights)
    return weights


def write_importance_matrix(path):
    """The smallest file that counts as one: which tensors it covers does not matter to a dry run."""
    weights = [("blk.0.attn_q.weight.in_sum2", [32, 1], 0, 4), ("blk.0.attn_q.weight.counts", [1, 1], 0, 4)]
    metadata = {"general.type": "imatrix", "imatrix.datasets": ["none"], "imatrix.chunk_count": 1, "imatrix.chunk_size": 512}
    write_gguf(path, metadata, weights)


LINE = re.compile(r"^\[ *\d+/ *\d+\] +(\S+) +- \[([^\]]*)\], type = +(\w+), size = .*?(?:\((\w+)\))?$", re.M)


def main():
    quantizer, version = sys.argv[1:]
    root = pathlib.Path(__file__).resolve().parent.parent
    models = tomllib.loads((root / "tests/data/quantizer-models.toml").read_text())
    # block sizes as gguf-py states them
    blocks = {"f32": (1, 4), "f16": (1, 2), "bf16": (1, 2), "q1_0": (128, 18), "q2_0": (64, 18), "q4_0": (32, 18), "q4_1": (32, 20),
              "q5_0": (32, 22), "q5_1": (32, 24), "q8_0": (32, 34), "mxfp4": (32, 17), "iq4_nl": (32, 18), "q2_K": (256, 84),
              "q3_K": (256, 110), "q4_K": (256, 144), "q5_K": (256, 176), "q6_K": (256, 210), "iq1_s": (256, 50), "iq1_m": (256, 56),
              "iq2_xxs": (256, 66), "iq2_xs": (256, 74), "iq2_s": (256, 82), "iq3_xxs": (256, 98), "iq3_s": (256, 110),
              "iq4_xs": (256, 136), "tq1_0": (256, 54), "tq2_0": (256, 66)}
    print(f"# `llama-quantize --dry-run` of llama.cpp {version} on F16 files of the models in quantizer-models.toml.")
    print("# Written by scripts/quantizer-oracle.py. A row without bytes: the quantiser refuses.")
    print("model,importance_matrix,mix,bytes,types")
    with tempfile.TemporaryDirectory() as folder:
        matrix = f"{folder}/matrix.gguf"
        write_importance_matrix(matrix)
        for name, model in models.items():
            path = f"{folder}/model.gguf"
            weights = write_model(path, model)
            elements = {}
            for tensor, shape, _, _ in weights:
                elements[tensor] = 1
                for size in shape:
                    elements[tensor] *= size
            for with_matrix, mixes in ((False, MIXES), (True, MATRIX_MATTERS)):
                for mix in mixes:
                    options = ["--imatrix", matrix] if with_matrix else []
                    run = subprocess.run([quantizer, *options, "--dry-run", path, mix], capture_output=True, text=True)
                    output = re.sub(r"warning: .*? -> falling back to +\w+\n", "", run.stdout + run.stderr, flags=re.S)
                    types = {m[1]: (m[4] or m[3]).strip() for m in LINE.finditer(output)}
                    row = f"{name},{str(with_matrix).lower()},{mix.lower()},"
                    if run.returncode != 0:
                        print(row + ",", flush=True)
                        if "no tensor type fallback" not in output:
                            sys.exit(f"{name} {mix}: {output[-2000:]}")
                        continue
                    if set(types) != set(elements):
                        sys.exit(f"{name} {mix}: {len(types)} of {len(elements)} tensors understood\n{output[:3000]}")
                    total = 0
                    for tensor, kind in types.items():
                        block, size = blocks[kind]
                        total += elements[tensor] // block * size
                    reported = float(re.search(r"quant size += +([\d.]+) MiB", output)[1])
                    if abs(total / 2**20 - reported) > 0.006:
                        sys.exit(f"{name} {mix}: {total} bytes counted, {reported} MiB reported")
                    counts = collections.Counter(types.values())
                    listed = " ".join(f"{kind}:{count}" for kind, count in sorted(counts.items()))
                    print(f"{row}{total},{listed}", flush=True)


main()
