"""How each file of results is shown: a name, the file, the command that measures it, and its table's lines."""

import statistics

import kernels

# Processes that ran or waited to before the measurement began; more than this slows it down.
QUIET = 0.5
OURS = "inversion"


def emoji(results: dict) -> list[str]:
    lines = ["| what | measured | command |", "|---|---|---|"]
    lines += [f"| {row['what']} | {row['value']} {row['unit']} | `{row['command']}` |" for row in results["rows"]]
    measured = f"Measured on {results['machine']}{beside(results)}, {results['date']}, commit {results['commit']}."
    return [*lines, "", measured]


def beside(row: dict) -> str:
    return f", beside other work (load {row['load']})" if row["load"] > QUIET else ""


def number(row: dict, name: str, digits: int = 2) -> str:
    return f"{row[name]:.{digits}f}" if name in row else "-"


def ratio(row: dict, ours: dict | None, name: str = "step_s") -> str:
    """How many times our step's time this one's is; only rows of one run can be compared."""
    if ours is None or name not in row or row["run"] != ours["run"]:
        return "-"
    return f"{row[name] / ours['step_s']:.2f}"


def conditions(rows: list[dict]) -> list[str]:
    """What each run's rows have in common."""
    runs = {row["run"]: row for row in rows}
    return [
        f"Run of {run.replace('T', ', ')}: {row['threads']} threads of {row['cpu']}{beside(row)}."
        for run, row in sorted(runs.items())]


def processors(rows: list[dict]) -> list[str]:
    """The processors that rows were measured on, the latest first."""
    latest = {}
    for row in rows:
        latest[row["cpu"]] = max(row["run"], latest.get(row["cpu"], ""))
    return sorted(latest, key=latest.__getitem__, reverse=True)


def beside_others(rows: list[dict], size: int) -> tuple[list[dict], dict | None]:
    """The rows of one processor, size and the most threads, fastest step first, and ours among them."""
    found = [row for row in rows if row["size"] == size]
    threads = max((row["threads"] for row in found), default=0)
    found = sorted((row for row in found if row["threads"] == threads), key=lambda row: row["step_s"])
    return found, next((row for row in found if row["engine"].startswith(OURS)), None)


def pictures(rows: list[dict]) -> list[str]:
    lines = [
        "| processor | engine | guided step, s | against ours | text, s | VAE decode, s | peak, MB | anonymous, MB |",
        "|---|---|---|---|---|---|---|---|"]
    rows, shown = [row for row in rows if row["task"] == "picture"], []
    for cpu in processors(rows):
        found, ours = beside_others([row for row in rows if row["cpu"] == cpu], 512)
        shown += found
        lines += [
            f"| {cpu} | {row['engine']} | {number(row, 'step_s')} | {ratio(row, ours)} | {number(row, 'text_s')}"
            f" | {number(row, 'vae_s')} | {number(row, 'peak_mb', 0)} | {number(row, 'anonymous_mb', 0)} |"
            for row in found]
    return [*lines, "", *conditions(shown)] if shown else []


def sizes(rows: list[dict]) -> list[str]:
    """How our own time grows."""
    found = [row for row in rows if row["task"] == "picture" and row["engine"].startswith(OURS)]
    if len({(row["size"], row["threads"]) for row in found}) < 2:
        return []
    lines = [
        "| processor | pixels | threads | guided step, s | VAE decode, s | peak, MB |", "|---|---|---|---|---|---|"]
    order = processors(found)
    found.sort(key=lambda row: (order.index(row["cpu"]), row["size"], row["threads"]))
    lines += [
        f"| {row['cpu']} | {row['size']} x {row['size']} | {row['threads']} | {number(row, 'step_s')}"
        f" | {number(row, 'vae_s')} | {number(row, 'peak_mb', 0)} |" for row in found]
    return [*lines, "", *conditions(found)]


def training(rows: list[dict]) -> list[str]:
    lines = [
        "| processor | pixels | engine | step, s | against ours | step that encodes the picture again, s "
        "| against ours | peak, MB | anonymous, MB |", "|---|---|---|---|---|---|---|---|---|"]
    rows, shown = [row for row in rows if row["task"] == "training"], []
    for cpu in processors(rows):
        of_cpu = [row for row in rows if row["cpu"] == cpu]
        for size in sorted({row["size"] for row in of_cpu}, reverse=True):
            found, ours = beside_others(of_cpu, size)
            shown += found
            lines += [
                f"| {cpu} | {size} x {size} | {row['engine']} | {number(row, 'step_s')} | {ratio(row, ours)}"
                f" | {number(row, 'step_with_vae_s')} | {ratio(row, ours, 'step_with_vae_s')}"
                f" | {number(row, 'peak_mb', 0)} | {number(row, 'anonymous_mb', 0)} |" for row in found]
    return [*lines, "", *conditions(shown)] if shown else []


def memory(rows: list[dict]) -> list[str]:
    lines = [
        "| processor | what | limit, MB | page cache | guided step, s | VAE decode, s | 20 steps and decode, s "
        "| the run measured, s | peak, MB | anonymous, MB |", "|---|---|---|---|---|---|---|---|---|---|"]
    for row in rows:
        limit = f"{row['limit_mb']}" if row["limit_mb"] else "none"
        if row["note"]:
            limit += f" ({row['note']})"
        time = number(row, "seconds", 1) if row["completed"] else "does not complete"
        picture = f"{20 * row['step_s'] + row['vae_s']:.1f}" if "vae_s" in row else "-"
        lines.append(
            f"| {row['cpu']} | {row['what']} | {limit} | {row['cache']} | {number(row, 'step_s')}"
            f" | {number(row, 'vae_s')} | {picture} | {time} | {number(row, 'peak_mb', 0)}"
            f" | {number(row, 'anonymous_mb', 0)} |")
    days = sorted({row["date"] for row in rows})
    return [*lines, "", f"Measured on {' and '.join(days)}."]


def profile(result: dict) -> list[str]:
    whole = sum(result["kinds_s"].values())
    lines = ["| part of a guided step | seconds | share |", "|---|---|---|"]
    lines += [
        f"| {kind} | {seconds:.3f} | {100 * seconds / whole:.0f} % |" for kind, seconds in result["kinds_s"].items()]
    rate = result["int8_gop"] / result["step_s"]
    note = (
        f"{result['size']} x {result['size']}, {result['threads']} threads, {result['date']}. A step that runs through "
        f"took {result['step_s']:.2f} s; its {result['int8_gop']:.0f} Gop of int8 products alone make "
        f"{rate:.0f} Gop/s of it.")
    return [*lines, "", note]


def precisions(result: dict) -> list[str]:
    titles = {"f16": "f16 weights", "bf16": "bf16 weights", "int8": "int8"}
    names = [name for name in titles if all(name in row for row in result["losses"].values())]
    columns = ["concept", "initializer", "f32", *(titles[name] for name in names)]
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for concept, row in sorted(result["losses"].items()):
        cells = [f"{row[name]:.4f} ({100 * (row[name] / row['f32'] - 1):+.1f} %)" for name in names]
        lines.append(f"| {concept} | {row['initializer']:.4f} | {row['f32']:.4f} | {' | '.join(cells)} |")
    return [*lines, "", f"Validation loss on the unquantised model, lower is better; {result['date']}."]


def concepts(result: dict) -> list[str]:
    lines = [
        "| concept | initializer | its loss | learned | gain | goes to its own word |", "|---|---|---|---|---|---|"]
    rows, known = result["concepts"]["rows"], result["known_words"]
    lines += [
        f"| {row['concept']} | {row['initializer']} | {row['initializer_loss']:.3f} | {row['learned_loss']:.3f}"
        f" | {100 * row['gain']:.0f} % | {row['retrieved']}/{row['pictures']} |" for row in rows]
    gain = sum(row["gain"] for row in rows) / len(rows)
    note = (
        f"The gain is {100 * gain:.0f} % on average, and {100 * result['retrieval']:.0f} % of the held-out pictures go "
        f"to their own word. The names of {len(known['rows'])} things that the model was taught gain "
        f"{100 * known['gap_to_neighbour']:.0f} % over the other name that explains their picture best, "
        f"{100 * known['gap_to_others']:.0f} % over the others on average.")
    return [*lines, "", note]


def stopping(result: dict) -> list[str]:
    lines = [
        "| concept | steps, fixed | steps, automatic | validation loss, fixed | automatic | held-out loss, fixed "
        "| automatic |", "|---|---|---|---|---|---|---|"]
    for concept, row in sorted(result["concepts"].items()):
        fixed, automatic = row["fixed"], row["automatic"]
        cells = [
            f"{fixed[name]:.4f} | {automatic[name]:.4f} ({100 * (automatic[name] / fixed[name] - 1):+.1f} %)"
            for name in ("validation", "held_out")]
        lines.append(f"| {concept} | {fixed['steps']} | {automatic['steps']} | {' | '.join(cells)} |")
    note = (
        f"In all {result['fewer_steps']:.1f} times fewer steps for {100 * result['more_validation_loss']:+.1f} % of "
        f"validation loss and {100 * result['more_held_out_loss']:+.1f} % of held-out loss; {result['date']}.")
    return [*lines, "", note]


def trainings(result: dict) -> list[str]:
    lines = [
        "| flags | steps | held-out loss | gain | retrieved | colours | styles | diversity | norm | context drift "
        "| prior |", "|---|---|---|---|---|---|---|---|---|---|---|"]

    def edits(row: dict) -> str:
        return f"{100 * row['colours']:.0f} % | {100 * row['styles']:.0f} % | {row['diversity']:.3f}"

    start = result["initializer"]
    lines.append(f"| the initializer words | - | {start['loss']:.4f} | - | - | {edits(start)} | - | - | - |")
    lines += [
        f"| `{flags}` | {row['steps']:.0f} | {row['loss']:.4f} | {100 * row['gain']:.0f} %"
        f" | {row['retrieved']}/{row['words']} | {edits(row)} | {row['norm']:.2f} | {row['context_drift']:.3f}"
        f" | {row['prior']:.3f} |" for flags, row in result["rows"].items()]
    return [*lines, "", f"Means over the concept sets; {result['date']}."]


def reuse(results: dict) -> list[str]:
    lines = ["| | times as fast | final latents, dB | pictures, dB | worst picture, dB |", "|---|---|---|---|---|"]
    lines += [
        f"| `{row['setting']}` | {times} | {row['latents']:.1f} | {row['picture']:.1f} | {row['worst_picture']:.1f} |"
        for row, times in shared(results)]
    return [*lines, "", f"{asked(results)}, against the exact pictures of `{results['model']}`; {where(results)}"]


def reuse_times(results: dict) -> list[str]:
    """Without the differences, which mean nothing where the weights are random."""
    lines = ["| | denoising a picture, s | times as fast |", "|---|---|---|"]
    lines += [
        f"| `{row['setting']}` | {row['seconds'] / results['prompts']:.1f} | {times} |"
        for row, times in [(results["rows"][0], "1"), *shared(results)]]
    return [*lines, "", f"{asked(results)}; random weights of Stable Diffusion 1.5's shape, 512x512; {where(results)}"]


def faithful(results: dict) -> list[str]:
    """No date: the result depends on the weights and the rounding of the kernels, not on the hour."""
    prompts = f"{len(results['rows'])} prompts of `Benchmarks/faithful/prompts.txt`"
    sampling = f"{results['steps']} {results['sampler'].upper()} steps, guidance {results['guidance']}, equal seeds"
    return [
        "| dB | mean | worst prompt |", "|---|---|---|",
        f"| final latents | {results['latents']:.1f} | {results['worst_latents']:.1f} |",
        f"| pictures (PSNR) | {results['picture']:.1f} | {results['worst_picture']:.1f} |", "",
        f"{prompts}, {sampling}."]


def shared(results: dict) -> list[tuple[dict, str]]:
    """The settings that share work, each with how many times as fast as the exact one it is."""
    exact, *rows = results["rows"]
    return [(row, f"{exact['seconds'] / row['seconds']:.2f}") for row in rows]


def asked(results: dict) -> str:
    many = "1 prompt" if results["prompts"] == 1 else f"{results['prompts']} prompts"
    return f"{many}, {results['steps']} {results['sampler'].upper()} steps, guidance {results['guidance']}"


def where(results: dict) -> str:
    return f"{results['threads']} threads of {results['cpu']}{beside(results)}, {results['date']}."


def kind(layer: str) -> str:
    """A layer's path without what tells it from its like in other blocks."""
    names = layer.split(".")
    if "ff" in names:
        return ".".join(names[names.index("ff"):])
    containers = {"decoder", "encoder", "layers", "transformer_blocks"}
    return ".".join([name for name in names if not name.isdigit() and name not in containers][-2:])


def layers(result: dict) -> list[str]:
    models = result["models"]
    lines = ["| network | layers |" + "".join(f" {name}: worst, median, network's worst |" for name in models)]
    lines.append("|---|---|" + "---|" * len(models))
    groups: dict[tuple[str, str], dict[str, list[dict]]] = {}
    for model, rows in models.items():
        for row in rows:
            groups.setdefault((row["network"], kind(row["layer"])), {}).setdefault(model, []).append(row)
    for (network, name), group in groups.items():
        cells = []
        for model in models:
            own = [row["own"] for row in group.get(model, [])]
            whole = [row["whole"] for row in group.get(model, [])]
            cells.append(f"{len(own)}: {min(own):.1f}, {statistics.median(own):.1f}, {min(whole):.1f}" if own else "-")
        lines.append(f"| {network} | `{name}` | {' | '.join(cells)} |")
    return [*lines, "", f"Signal to noise in decibels, behind the number of such layers; {result['date']}."]


QUALITY = {
    "loss": ("loss of held-out pictures under their learned word", "{:.4f}"),
    "initializer_loss": ("the same under its initializer", "{:.4f}"),
    "gain": ("gain of a learned word over its initializer", "{:.1%}"),
    "retrieval": ("held-out pictures that go to their own word", "{:.0%}"),
    "gap_to_neighbour": ("gain of a taught word over its nearest neighbour", "{:.1%}"),
    "gap_to_others": ("gain of a taught word over the others", "{:.1%}"),
}


def quality(result: dict) -> list[str]:
    full, packed = result["f32"], result["int8"]
    lines = ["| | f32 weights | int8 package |", "|---|---|---|"]
    lines += [
        f"| {what} | {form.format(full[key])} | {form.format(packed[key])} |" for key, (what, form) in QUALITY.items()]
    told = f"Means over {full['concepts']} learned and {full['known']} taught words; {result['date']}."
    return [*lines, "", told]


def kernel_sums(results: list[dict]) -> list[str]:
    lines = [
        "| processor | ceiling in G/s: int8, 16-bit pairs, f32 | int8 products, s | of the ceiling | large ones "
        "| oneDNN, s | of the ceiling | attention, s | of the ceiling |", "|---|---|---|---|---|---|---|---|---|"]
    for result in results:
        machine, found = result["ceilings"], kernels.sums(result["ceilings"], result["rows"])
        large = found.get("large %")

        def cell(name: str, digits: int, unit: str = "") -> str:
            return f"{found[name]:.{digits}f}{unit}" if name in found else "-"

        lines.append(
            f"| {result['machine']} | {machine['int8_ceiling']}, {machine['pair_ceiling']}, {machine['f32_ceiling']}"
            f" | {cell('int8', 2)} | {cell('int8 %', 0, ' %')}"
            f" | {f'{min(large):.0f} to {max(large):.0f} %' if large else '-'}"
            f" | {cell('onednn', 2)} | {cell('onednn %', 0, ' %')} | {cell('attention', 2)}"
            f" | {cell('attention %', 0, ' %')} |")
    days = " and ".join(sorted({result["date"] for result in results}))
    return [*lines, "", f"Of a guided step at 512 x 512; large products have 10^9 operations and more. {days}."]


def pairs(rows: list[tuple[str, str]], *notes: str) -> list[str]:
    return ["| what | figure |", "|---|---|", *(f"| {what} | {figure} |" for what, figure in rows), "", *notes]


def embeddings(result: dict) -> list[str]:
    def times(row: dict) -> str:
        return f"{row['p50_ms']:.2f} ms median, {row['p99_ms']:.1f} ms at the 99th percentile"

    alone, loaded, files = result["rename_to_usable"], result["under_load"], result["many_files"]
    killed = result["killed_writers"]
    return pairs(
        [(f"rename to usable, {alone['swaps']:,} swaps, no pictures meanwhile", times(alone)),
         ("the same, while two clients have pictures made", times(loaded)),
         ("failed requests, and pictures that are not byte for byte those of the embedding that the reply names",
          f"{loaded['failed_or_mixed']} of {loaded['pictures']:,}"),
         ("resident memory over the swaps without pictures", f"{alone['rss_growth_kib']:+} KiB"),
         ("resident memory over the swaps with pictures",
          f"{loaded['rss_at_rest_mib']:.0f} MiB at rest, after them {loaded['rss_at_rest_growth_kib']:+} KiB"),
         ("writers killed at random points, in place and beside",
          f"{killed['rounds']}, of which {killed['files_left_torn']} left a torn file; "
          f"half-read embeddings: {killed['half_read']}"),
         (f"{files['files']:,} files of {files['vectors_each']} vectors, first start",
          f"{files['first_ready_s']:.2f} s ({files['first_processor_s']:.2f} s of processor time), "
          f"{files['first_rss_mib']:.0f} MiB"),
         ("the same folder with the index",
          f"{files['again_ready_s']:.2f} s ({files['again_processor_s']:.2f} s of processor time), "
          f"{files['again_rss_mib']:.0f} MiB, {files['again_rss_over_few_mib']:.0f} more than without words"),
         (f"rename to usable among {files['files']:,} files", times(files["swap_among_them"]))],
        f"{result['processors']} processors, load {result['load_average']}.")


def soak(result: dict) -> list[str]:
    did, rests = result["actions"], result["allocated_mib_at_rest"]
    held = f"{rests[0]:.1f}, {rests[-1]:.1f} MiB, {result['allocated_slope_mib_per_hour']:+.1f} MiB an hour"
    return pairs(
        [("pictures whose words, seeds and bytes were checked", f"{did['picture']:,}"),
         ("streams of events, of which clients left or cancelled",
          f"{did['stream']:,}, {did['left']:,} left, {did['cancelled']:,} cancelled"),
         ("words swapped", f"{did['swap']:,}"),
         ("slow readers, bodies too large, nonsense, broken off requests",
          ", ".join(f"{did[name]:,}" for name in ("read_slowly", "send_too_much", "send_nonsense", "break_off"))),
         ("refused with 503, the queue being full", f"{did['refused']:,}"),
         ("replies lost, crossed or wrong", f"{result['fault_count']}"),
         ("jobs or descriptors left over at the end", f"{len(result['left_over'])}"),
         ("resident MiB: start, end, largest",
          f"{result['mib_at_start']}, {result['mib_at_end']}, {result['mib_largest']}"),
         ("slope over the second half, MiB an hour", f"{result['slope_mib_per_hour']:+.1f}"),
         ("allocated while all clients pause: at first, at last, slope over the second half", held)],
        f"{result['minutes']:.0f} minutes, {result['clients']} clients at once, {result['date']}.")


PEERS, BUDGETS = "make bench-peers", "make bench-memory"
TABLES = {
    "emoji-64": ("emoji-64.json", "make bench", emoji),
    "peers": ("peers.json", PEERS, pictures),
    "sizes": ("peers.json", f"{PEERS} SIZE=256", sizes),
    "training": ("peers.json", f"{PEERS} TASK=training", training),
    "memory": ("memory.json", BUDGETS, memory),
    "kernels": ("kernels.json", "make bench ONLY=kernels", kernel_sums),
    "profile": ("profile.json", "Benchmarks/profile.py MODEL", profile),
    "concepts": ("concepts.json", "Benchmarks/concepts.sh --steps 150", concepts),
    "stopping": ("stopping.json", "Benchmarks/stopping.sh --precision int8", stopping),
    "trainings": ("trainings.json", "Benchmarks/trainings.sh", trainings),
    "layers": ("layers.json", "Benchmarks/layers.py", layers),
    "quality": ("quality.json", "Benchmarks/quality.sh --steps 150", quality),
    "reuse": ("reuse-emoji-64.json", "Benchmarks/reuse.py", reuse),
    "faithful": ("faithful-emoji-64.json", "make bench-faithful", faithful),
    "reuse-sd15": ("reuse-sd15.json", "Benchmarks/reuse.py --model FOLDER/sd15 --prompts 1", reuse_times),
    "embeddings": ("embeddings.json", "Benchmarks/swaps.py", embeddings),
    "soak": ("soak.json", "Benchmarks/soak.py --minutes 60 --json FILE -- inversiond ...", soak),
    "precisions": ("precisions.json", "Benchmarks/precisions.sh --steps 100", precisions),
}
