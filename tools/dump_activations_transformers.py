#!/usr/bin/env python3
"""Writes the activations of one prompt as `glm5 … --dump-activations` does, computed by transformers in float32.

    pip install torch transformers safetensors numpy
    tools/dump_activations_transformers.py models/glm5-nano OUT --ids 5,17,200
    tools/diff_activations.py OUT DUMP_OF_GLM5

OUT/step-000000/NAME.safetensors holds one tensor NAME; names are those of docs/model.md. When OUT ends in .safetensors,
that one file holds them all: tests/fixtures/tiny-indexshare/transformers/activations.safetensors was made from its model
with --ids @golden.safetensors --count 32.

FP8 weights are dequantised here, as weight * weight_scale_inv per 128 x 128 block: transformers cannot do it for
kv_a_proj_with_mqa, whose 576 rows are no multiple of 128. Two things are set to what servers run (docs/model.md): the
latent norms use rms_norm_eps (--latent-eps chooses another value), and equal scores are chosen by the lower position or
id. With --fp8-inputs the inputs of FP8 linear layers are quantised per token and 128 values, as in docs/numerics.md; all
else stays float32.
"""
import argparse
import json
import pathlib
import re
import sys

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch.overrides import TorchFunctionMode
from transformers import GlmMoeDsaConfig, GlmMoeDsaForCausalLM


class LowerIndexFirst(TorchFunctionMode):
    """topk that breaks ties toward the lower index."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if function in (torch.topk, torch.Tensor.topk):
            values, k = args[0], kwargs.get("k", args[1] if len(args) > 1 else None)
            ordered = torch.sort(values, dim=-1, descending=True, stable=True)
            return torch.return_types.topk((ordered.values[..., :k], ordered.indices[..., :k]))
        return function(*args, **kwargs)


class QuantisedInputs(TorchFunctionMode):
    """Linear layers whose weights lie in `storages` read their input rounded to e4m3 per row and 128 values."""

    def __init__(self, storages):
        self.storages = storages

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function is torch.nn.functional.linear and args[1].untyped_storage().data_ptr() in self.storages:
            args = (round_per_block(args[0]), *args[1:])
        return function(*args, **(kwargs or {}))


def round_per_block(x):
    blocks = torch.nn.functional.pad(x, (0, -x.shape[-1] % 128)).unflatten(-1, (-1, 128))
    scale = blocks.abs().amax(-1, keepdim=True).clamp(min=1e-10) / 448
    rounded = (blocks / scale).clamp(-448, 448).to(torch.float8_e4m3fn).float() * scale
    return rounded.flatten(-2)[..., : x.shape[-1]]


def read_tensors(directory):
    for path in sorted(directory.glob("*.safetensors")):
        if path.name == "golden.safetensors":
            continue
        with safe_open(path, framework="pt") as file:
            for name in file.keys():
                yield name, file.get_tensor(name)


def dequantise(weight, scale):
    rows, columns = weight.shape
    expanded = scale.repeat_interleave(128, 0)[:rows].repeat_interleave(128, 1)[:, :columns]
    return weight.float() * expanded


def state_dict(directory, config):
    """The main layers in float32, experts joined as transformers keeps them."""
    stored = dict(read_tensors(directory))
    weights = {}
    for name, tensor in stored.items():
        layer = re.match(r"model\.layers\.(\d+)\.", name)
        if name.endswith("_scale_inv") or (layer and int(layer[1]) >= config.num_hidden_layers):
            continue
        scale = stored.get(name + "_scale_inv")
        weights[name] = tensor.float() if scale is None else dequantise(tensor, scale)
    for i in range(config.num_hidden_layers):
        prefix = f"model.layers.{i}.mlp.experts."
        if f"{prefix}0.gate_proj.weight" not in weights:
            continue
        take = lambda j, which: weights.pop(f"{prefix}{j}.{which}_proj.weight")
        gates_ups, downs = [], []
        for j in range(config.n_routed_experts):
            gates_ups.append(torch.cat([take(j, "gate"), take(j, "up")]))
            downs.append(take(j, "down"))
        weights[prefix + "gate_up_proj"] = torch.stack(gates_ups)
        weights[prefix + "down_proj"] = torch.stack(downs)
    return weights


def load_model(directory, latent_eps):
    raw = json.loads((directory / "config.json").read_text())
    raw.pop("quantization_config", None)
    config = GlmMoeDsaConfig(**raw)
    config._attn_implementation = "eager"
    config._experts_implementation = "eager"
    model = GlmMoeDsaForCausalLM(config).float().eval()
    missing, unexpected = model.load_state_dict(state_dict(directory, config), strict=False)
    if missing or unexpected:
        sys.exit(f"{directory}: missing {missing}, unexpected {unexpected}")
    for layer in model.model.layers:
        for norm in (layer.self_attn.q_a_layernorm, layer.self_attn.kv_a_layernorm):
            norm.variance_epsilon = config.rms_norm_eps if latent_eps is None else latent_eps
    return model


def fp8_storages(model, directory):
    """The memory of the weights that are FP8 in the checkpoint and multiplied as such (not kv_b_proj, indexer.wk)."""
    names = {re.sub(r"\.mlp\.experts\.\d+\..*", ".mlp.experts.", name.removesuffix(".weight_scale_inv"))
             for name, _ in read_tensors(directory) if name.endswith("_scale_inv")}
    names = {name for name in names if not name.endswith(("kv_b_proj", "indexer.wk"))}
    return {parameter.untyped_storage().data_ptr() for name, parameter in model.named_parameters()
            if name.removesuffix(".weight") in names or name.rpartition(".")[0] + "." in names}


def ascending_selection(indices, top_k):
    """Chosen positions as docs/model.md stores them: ascending, none above the token's own, padded with -1."""
    rows = np.full((indices.shape[0], top_k), -1, np.int32)
    for t, row in enumerate(indices.numpy()):
        kept = np.sort(row[row <= t])
        rows[t, : len(kept)] = kept
    return torch.from_numpy(rows)


class Recorder:
    """Hooks on the modules of a model; `tensors` maps names to what they saw."""

    def __init__(self, model):
        self.tensors = {}
        config = model.config
        self.output(model.model.embed_tokens, "embed")
        for i, layer in enumerate(model.model.layers):
            prefix, attention = f"layers.{i}.", layer.self_attn
            self.output(layer.input_layernorm, prefix + "input_norm")
            self.output(attention.q_a_proj, prefix + "q_a")
            self.output(attention.kv_a_proj_with_mqa, prefix + "kv_a")
            self.output(attention.q_a_layernorm, prefix + "q_norm")
            self.output(attention.q_b_proj, prefix + "q",
                        lambda x: x.view(len(x), config.num_attention_heads, config.qk_head_dim))
            if attention.indexer is not None:
                scale = (config.index_n_heads * config.index_head_dim) ** -0.5
                self.output(attention.indexer.wk, prefix + "index_k")
                self.output(attention.indexer.weights_proj, prefix + "index_weights", lambda x, s=scale: x * s)
                self.output(attention.indexer, prefix + "selection",
                            lambda x: ascending_selection(x, config.index_topk))
            self.input(attention.o_proj, prefix + "attention_heads")
            self.output(attention.o_proj, prefix + "attention_out")
            self.input(layer.post_attention_layernorm, prefix + "residual")
            self.output(layer.post_attention_layernorm, prefix + "post_attention_norm")
            if hasattr(layer.mlp, "gate"):
                layer.mlp.gate.register_forward_hook(self.record_routing(prefix))
            self.output(layer.mlp, prefix + "mlp_out")
        self.input(model.model.norm, "residual")
        self.output(model.model.norm, "norm")
        self.output(model.lm_head, "logits")

    def record(self, name, tensor, change=lambda x: x):
        rows = tensor.detach()[0] if tensor.dim() == 3 else tensor.detach()
        self.tensors[name] = change(rows).clone().contiguous()

    def output(self, module, name, change=lambda x: x):
        module.register_forward_hook(lambda m, inputs, out: self.record(name, out, change))

    def input(self, module, name):
        module.register_forward_pre_hook(lambda m, inputs: self.record(name, inputs[0]))

    def record_routing(self, prefix):
        def hook(module, inputs, out):
            _, weights, ids = out
            self.record(prefix + "expert_ids", ids.int())
            self.record(prefix + "expert_weights", weights.float())
        return hook


def read_ids(text):
    if text.startswith("@"):
        with safe_open(text[1:], framework="np") as file:
            return [int(i) for i in file.get_tensor("ids")]
    return [int(i) for i in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--ids", required=True, help="token ids with commas, or @FILE.safetensors with a tensor ids")
    parser.add_argument("--count", type=int, help="only the first COUNT ids")
    parser.add_argument("--latent-eps", type=float, help="epsilon of the two latent norms (default: rms_norm_eps)")
    parser.add_argument("--fp8-inputs", action="store_true", help="quantise the inputs of FP8 linear layers")
    arguments = parser.parse_args()

    ids = read_ids(arguments.ids)[: arguments.count]
    model = load_model(arguments.model, arguments.latent_eps)
    recorder = Recorder(model)
    storages = fp8_storages(model, arguments.model) if arguments.fp8_inputs else set()
    with torch.no_grad(), LowerIndexFirst(), QuantisedInputs(storages):
        model(torch.tensor([ids]), use_cache=False)

    count = len(ids)
    recorder.tensors |= {
        "token_ids": torch.tensor(ids, dtype=torch.int32),
        "positions": torch.arange(count, dtype=torch.int32),
        "sequence_ids": torch.zeros(count, dtype=torch.int32),
        "logit_rows": torch.arange(count, dtype=torch.int32),
    }
    if arguments.out.suffix == ".safetensors":
        save_file(recorder.tensors, arguments.out)
    else:
        step = arguments.out / "step-000000"
        step.mkdir(parents=True)
        for name, tensor in recorder.tensors.items():
            save_file({name: tensor}, step / f"{name}.safetensors")
    print(f"{arguments.out}: {len(recorder.tensors)} tensors of {count} tokens")


if __name__ == "__main__":
    main()
