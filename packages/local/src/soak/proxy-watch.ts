/** The long-lived proxy's memory and open files over the soak. */
import type { LifeMetrics, ProxyLife } from "./proxy-life.ts";

export interface Sample extends LifeMetrics {
  /** Seconds since the watch began. */
  at: number;
}

export class ProxyWatch {
  readonly samples: Sample[] = [];
  readonly #life: ProxyLife;
  readonly #started = performance.now();

  constructor(life: ProxyLife) {
    this.#life = life;
  }

  async look(): Promise<void> {
    const metrics = await this.#life.metrics();
    if (metrics) this.samples.push({ ...metrics, at: (performance.now() - this.#started) / 1_000 });
  }

  get last(): Sample | undefined {
    return this.samples.at(-1);
  }

  /** Of the samples between two shares of the time. */
  values(name: keyof LifeMetrics, from: number, to: number): { at: number; value: number }[] {
    const end = this.last?.at ?? 0;
    return this.samples
      .filter(({ at }) => at >= from * end && at <= to * end)
      .map((sample) => ({ at: sample.at, value: sample[name] }));
  }

  median(name: keyof LifeMetrics, from: number, to: number): number {
    const sorted = this.values(name, from, to)
      .map(({ value }) => value)
      .sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  }

  /** What the line of least squares gains over the time between two shares of it, as a share of the mean. */
  drift(name: keyof LifeMetrics, from: number, to: number): number {
    const points = this.values(name, from, to);
    const mean = (pick: (point: { at: number; value: number }) => number) =>
      points.reduce((sum, point) => sum + pick(point), 0) / points.length;
    const [x, y] = [mean(({ at }) => at), mean(({ value }) => value)];
    const covariance = mean(({ at, value }) => (at - x) * (value - y));
    const variance = mean(({ at }) => (at - x) ** 2);
    const length = (points.at(-1)?.at ?? 0) - (points[0]?.at ?? 0);
    return ((covariance / variance) * length) / y;
  }
}
