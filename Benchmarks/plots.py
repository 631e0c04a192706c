"""Bars and lines as SVG, without a library."""

import html
import math

COLOURS = ["#0b6e99", "#d9730d", "#6b8e23", "#8a4f9e", "#b03a48", "#5f6b6d"]
FONT = 'font-family="sans-serif" font-size="12"'
SMALL = 'font-family="sans-serif" font-size="10"'


def _escape(text):
    return html.escape(str(text))


def _number(value):
    """Short: 1.2M, 340k, 12, 0.34."""
    for limit, letter in [(1e9, "G"), (1e6, "M"), (1e3, "k")]:
        if abs(value) >= limit:
            return f"{value / limit:.3g}{letter}"
    return f"{value:.3g}"


class _Scale:
    """From values to places on an axis."""

    def __init__(self, least, most, start, end, logarithmic):
        self.logarithmic = logarithmic
        if logarithmic:
            least, most = math.floor(math.log10(least)), math.ceil(math.log10(most))
            most = max(most, least + 1)
            self.ticks = [10.0 ** power for power in range(int(least), int(most) + 1)]
        else:
            most = max(most, least + 1e-9)
            step = 10 ** math.floor(math.log10((most - least) / 4 or 1))
            step *= next(factor for factor in (1, 2, 5, 10) if (most - least) / (step * factor) <= 6)
            first, last = math.floor(least / step), math.ceil(most / step)
            self.ticks = [step * number for number in range(first, last + 1)]
            least, most = self.ticks[0], self.ticks[-1]
        self.least, self.most, self.start, self.end = least, most, start, end

    def __call__(self, value):
        if self.logarithmic:
            value = math.log10(max(value, 10.0 ** self.least))
        return self.start + (self.end - self.start) * (value - self.least) / (self.most - self.least)


def _picture(width, height, title, body):
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">',
        f"<title>{_escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="12" y="22" {FONT} font-weight="bold">{_escape(title)}</text>',
        *body, "</svg>", "",
    ])


def _legend(names, x, y):
    parts = []
    for place, name in enumerate(names):
        parts.append(f'<rect x="{x:.0f}" y="{y - 10}" width="11" height="11" fill="{COLOURS[place % len(COLOURS)]}"/>')
        parts.append(f'<text x="{x + 16:.0f}" y="{y}" {FONT}>{_escape(name)}</text>')
        x += 40 + 7 * len(name)
    return parts


def bars(title, rows, names, unit):
    """Bars beside each other on a logarithmic axis.

    `rows` are (label, {name: (median, least, most)}); a name without a value has no bar.
    """
    values = [number for _, row in rows for triple in row.values() for number in triple if number > 0]
    if not values:
        return None
    left, width, thickness = 300, 860, 13
    heights = [len(names) * thickness + 12 for _ in rows]
    top = 62
    bottom = top + sum(heights)
    scale = _Scale(min(values) / 1.5, max(values), left, width - 70, True)
    body = _legend(names, left, 44)
    for tick in scale.ticks:
        body.append(f'<line x1="{scale(tick):.1f}" y1="{top}" x2="{scale(tick):.1f}" y2="{bottom}" stroke="#dddddd"/>')
        body.append(f'<text x="{scale(tick):.1f}" y="{bottom + 16}" {FONT} text-anchor="middle">{_number(tick)}</text>')
    y = top
    for (label, row), height in zip(rows, heights):
        body.append(f'<text x="{left - 8}" y="{y + height / 2 + 1:.1f}" {FONT} text-anchor="end">{_escape(label)}</text>')
        for place, name in enumerate(names):
            if name not in row:
                continue
            middle, least, most = row[name]
            line = y + 4 + place * thickness
            body.append(f'<rect x="{left}" y="{line}" width="{max(1, scale(middle) - left):.1f}" height="{thickness - 2}" '
                        f'fill="{COLOURS[place % len(COLOURS)]}"/>')
            centre = line + (thickness - 2) / 2
            body.append(f'<line x1="{scale(least):.1f}" y1="{centre}" x2="{scale(most):.1f}" y2="{centre}" stroke="#222222"/>')
            body.append(f'<text x="{scale(max(middle, most)) + 5:.1f}" y="{line + 10}" {SMALL}>{_number(middle)}</text>')
        y += height
    body.append(f'<text x="{(left + width) / 2:.0f}" y="{bottom + 34}" {FONT} text-anchor="middle">{_escape(unit)}</text>')
    return _picture(width, bottom + 44, title, body)


def lines(title, series, across, up, logarithmic=(False, False), labels=None):
    """Lines through points.

    `series` are {name: [(x, y), …]}; `labels` are {x: text} for an axis that has names in place of numbers.
    """
    points = [point for line in series.values() for point in line]
    if not points:
        return None
    left, top, width, height = 70, 62, 860, 400
    horizontal = _Scale(min(x for x, _ in points), max(x for x, _ in points), left, width - 30, logarithmic[0])
    low = min(y for _, y in points)
    vertical = _Scale(low if logarithmic[1] else min(0, low), max(y for _, y in points), height - 50, top, logarithmic[1])
    body = _legend(list(series), left, 44)
    for tick in vertical.ticks:
        body.append(f'<line x1="{left}" y1="{vertical(tick):.1f}" x2="{width - 30}" y2="{vertical(tick):.1f}" stroke="#dddddd"/>')
        body.append(f'<text x="{left - 6}" y="{vertical(tick) + 4:.1f}" {FONT} text-anchor="end">{_number(tick)}</text>')
    for place in labels or horizontal.ticks:
        text = labels[place] if labels else _number(place)
        body.append(f'<text x="{horizontal(place):.1f}" y="{height - 32}" {FONT} text-anchor="middle">{_escape(text)}</text>')
    for place, (_, line) in enumerate(series.items()):
        path = " ".join(f"{horizontal(x):.1f},{vertical(y):.1f}" for x, y in line)
        colour = COLOURS[place % len(COLOURS)]
        body.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if len(line) <= 20:
            body += [f'<circle cx="{horizontal(x):.1f}" cy="{vertical(y):.1f}" r="3" fill="{colour}"/>' for x, y in line]
    body.append(f'<text x="{(left + width) / 2:.0f}" y="{height - 10}" {FONT} text-anchor="middle">{_escape(across)}</text>')
    body.append(f'<text transform="translate(16 {height / 2:.0f}) rotate(-90)" {FONT} text-anchor="middle">{_escape(up)}</text>')
    return _picture(width, height, title, body)
