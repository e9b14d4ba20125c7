/** uPlot in React: built anew when data or theme change, resized with its box, colours from the page's tokens. */
import { useEffect, useRef, useState } from "react";
import UPlot from "uplot";
import "uplot/dist/uPlot.min.css";

export type Colours = Record<"text" | "muted" | "line" | "accent" | "bad" | "warn" | "good", string>;
const TOKENS = ["text", "muted", "line", "accent", "bad", "warn", "good"] as const;

/** What `light-dark()` comes to: only a computed style says. */
function colours(element: HTMLElement): Colours {
  const probe = document.createElement("span");
  element.append(probe);
  const found = Object.fromEntries(
    TOKENS.map((name) => {
      probe.style.color = `var(--${name})`;
      return [name, getComputedStyle(probe).color];
    }),
  ) as Colours;
  probe.remove();
  return found;
}

/** Counts up when the theme changes. */
function useThemeTurn(): number {
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const turned = () => setTurn((before) => before + 1);
    const system = matchMedia("(prefers-color-scheme: dark)");
    system.addEventListener("change", turned);
    addEventListener("themechange", turned);
    return () => {
      system.removeEventListener("change", turned);
      removeEventListener("themechange", turned);
    };
  }, []);
  return turn;
}

export function Plot({
  label,
  data,
  height,
  options,
  onBrush,
}: {
  /** What is to be seen, in a sentence. */
  label: string;
  data: UPlot.AlignedData;
  height: number;
  options(colours: Colours, width: number): Omit<UPlot.Options, "width" | "height">;
  /** Epoch seconds. */
  onBrush?: (from: number, to: number) => void;
}) {
  const box = useRef<HTMLDivElement>(null);
  const turn = useThemeTurn();
  const brushed = useRef(onBrush);
  brushed.current = onBrush;
  // A turn of the theme changes the colours
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const width = element.clientWidth;
    const plot = new UPlot(
      {
        ...options(colours(element), width),
        width,
        height,
        cursor: { drag: { x: brushed.current !== undefined, y: false, setScale: false }, y: false },
        hooks: {
          setSelect: [
            (plot) => {
              if (plot.select.width < 4) return;
              const from = plot.posToVal(plot.select.left, "x");
              const to = plot.posToVal(plot.select.left + plot.select.width, "x");
              plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
              brushed.current?.(from, to);
            },
          ],
        },
      },
      data,
      element,
    );
    const sizes = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height }));
    sizes.observe(element);
    return () => {
      sizes.disconnect();
      plot.destroy();
    };
  }, [data, height, options, turn]);
  return <div className="plot" ref={box} role="img" aria-label={label} style={{ height }} />;
}
