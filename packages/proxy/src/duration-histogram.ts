/**
 * A Prometheus histogram by one label that costs a search in an array to observe. prom-client's own hashes its labels at every
 * call, several microseconds on a path that has 45; it still gathers and prints these (it asks a metric for `get`).
 */
import type { Metric, MetricObjectWithValues, MetricType, MetricValue, Registry } from "prom-client";

interface Tally {
  /** By bucket, not cumulative; the last is +Inf. */
  counts: number[];
  sum: number;
}

export class DurationHistogram {
  readonly name: string;
  readonly #help: string;
  readonly #label: string;
  readonly #buckets: readonly number[];
  readonly #tallies = new Map<string, Tally>();

  /** @param buckets upper bounds in seconds, ascending */
  constructor(
    registry: Registry,
    options: { name: string; help: string; label: string; buckets: readonly number[] },
  ) {
    this.name = options.name;
    this.#help = options.help;
    this.#label = options.label;
    this.#buckets = options.buckets;
    registry.registerMetric(this as unknown as Metric);
  }

  observe(label: string, seconds: number): void {
    let tally = this.#tallies.get(label);
    if (tally === undefined) {
      tally = { counts: new Array(this.#buckets.length + 1).fill(0), sum: 0 };
      this.#tallies.set(label, tally);
    }
    let bucket = 0;
    while (bucket < this.#buckets.length && seconds > (this.#buckets[bucket] ?? 0)) bucket++;
    tally.counts[bucket] = (tally.counts[bucket] ?? 0) + 1;
    tally.sum += seconds;
  }

  /** As prom-client's registry asks for it. */
  async get(): Promise<MetricObjectWithValues<MetricValue<string> & { metricName: string }>> {
    const values: (MetricValue<string> & { metricName: string })[] = [];
    for (const [label, { counts, sum }] of this.#tallies) {
      const labels = { [this.#label]: label };
      let total = 0;
      counts.forEach((count, index) => {
        total += count;
        const le = this.#buckets[index] ?? "+Inf";
        values.push({ metricName: `${this.name}_bucket`, labels: { ...labels, le }, value: total });
      });
      values.push({ metricName: `${this.name}_sum`, labels, value: sum });
      values.push({ metricName: `${this.name}_count`, labels, value: total });
    }
    const type = "histogram" as unknown as MetricType;
    return { name: this.name, help: this.#help, type, aggregator: "sum", collect: () => {}, values };
  }

  reset(): void {
    this.#tallies.clear();
  }
}
