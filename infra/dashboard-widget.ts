/** Widgets of a CloudWatch dashboard, laid out three to a row. */
import type { Metric } from "./alarm.ts";
import { region } from "./stage.ts";

export interface Widget {
  type: "metric" | "log" | "text";
  properties: Record<string, unknown>;
}

/** A line in a chart: a metric with its label, or a formula over the others' ids. */
type Line =
  | { label: string; metric: Metric; id?: string; hidden?: boolean }
  | { label: string; expression: string };

export function chart(title: string, lines: Line[]): Widget {
  const metrics = lines.map((line) => {
    if ("expression" in line) return [{ expression: line.expression, label: line.label }];
    const { namespace, metricName, dimensions = {}, statistic, period } = line.metric;
    const options = {
      label: line.label,
      stat: statistic,
      period,
      ...(line.id && { id: line.id }),
      visible: !line.hidden,
    };
    return [namespace, metricName, ...Object.entries(dimensions).flat(), options];
  });
  return { type: "metric", properties: { title, region, view: "timeSeries", metrics } };
}

/** A table of a Logs Insights query's answer. */
export function logTable(title: string, groups: $util.Input<string>[], query: string): Widget {
  const sources = $util.all(groups).apply((names) => names.map((name) => `SOURCE '${name}'`).join(" | "));
  return {
    type: "log",
    properties: { title, region, view: "table", query: $interpolate`${sources} | ${query}` },
  };
}

const WIDTH = 8;
const HEIGHT = 6;

export function dashboard(logicalName: string, dashboardName: string, widgets: Widget[]) {
  const placed = widgets.map((widget, index) => ({
    ...widget,
    width: WIDTH,
    height: HEIGHT,
    x: (index % 3) * WIDTH,
    y: Math.floor(index / 3) * HEIGHT,
  }));
  return new aws.cloudwatch.Dashboard(logicalName, {
    dashboardName,
    dashboardBody: $jsonStringify({ widgets: placed }),
  });
}
