extension TrainingReport {
  /// The page's look: readable on paper, on a telephone, and in the dark.
  static let style = """
    :root { color-scheme: light dark; --ink: #1c2430; --paper: #fff; --soft: #6b7684; --line: #e3e7ec;
      --a: #9db4d0; --b: #c2410c; --c: #6b7684 }
    @media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --paper: #14181e; --soft: #95a0ae; --line: #2a313b;
      --a: #4d6a8f; --b: #fb923c; --c: #95a0ae } }
    body { font: 15px/1.5 system-ui, sans-serif; max-width: 760px; margin: 2rem auto; padding: 0 1rem;
      color: var(--ink); background: var(--paper) }
    h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem }
    .summary { font-size: 1.05rem } .note, figcaption, .legend, th { color: var(--soft); font-size: .85rem }
    svg { width: 100%; height: auto } .grid { stroke: var(--line) } .tick { fill: var(--soft); font-size: 11px }
    .mark { stroke: var(--soft); stroke-dasharray: 3 3 }
    polyline { fill: none; stroke-width: 2 } polyline.a { stroke: var(--a) } polyline.b { stroke: var(--b) }
    polyline.c { stroke: var(--c); stroke-dasharray: 5 4; stroke-width: 1.5 } circle.b { fill: var(--b) }
    .key { display: inline-block; width: 18px; height: 3px; margin: 0 6px 3px 14px; vertical-align: middle }
    .key.a { background: var(--a) } .key.b { background: var(--b) }
    .key.c { background: none; height: 0; border-top: 2px dashed var(--c) }
    @media (max-width: 520px) { .tick { font-size: 18px } }
    table { border-collapse: collapse; width: 100%; margin-bottom: .75rem } th { text-align: left; font-weight: 500 }
    td, th { padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
    .pairs td { overflow-wrap: anywhere } .pairs td:first-child { min-width: 6rem; width: 25%;
      overflow-wrap: break-word } .bars td { white-space: nowrap } .bar { width: 60% }
    .bar span { display: block; height: .7rem; margin-top: .4rem; background: var(--a) }
    .scroll { overflow-x: auto } figure { display: inline-block; margin: 0 .75rem .75rem 0; width: 128px }
    figure img { width: 128px; image-rendering: auto; border-radius: 4px }
    """
}
