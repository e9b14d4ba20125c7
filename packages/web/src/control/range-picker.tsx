/** Chooses the time range: presets at one press, or two instants to the second; and whether in UTC. */
import { useState } from "react";
import { Checkbox } from "react-aria-components/Checkbox";
import { Dialog, DialogTrigger } from "react-aria-components/Dialog";
import { Popover } from "react-aria-components/Popover";
import * as TimeRange from "../time-range.ts";
import * as TimeZone from "../time-zone.ts";
import { useZone } from "../zone-context.tsx";
import { Button } from "./button.tsx";
import { TextInput } from "./field.tsx";

export function RangePicker({
  search,
  onChange,
  onZone,
}: {
  search: TimeRange.RangeSearch;
  onChange(range: TimeRange.RangeSearch): void;
  onZone(zone: TimeZone.Zone): void;
}) {
  const zone = useZone();
  const [open, setOpen] = useState(false);
  const choose = (range: TimeRange.RangeSearch) => {
    setOpen(false);
    onChange({ last: undefined, from: undefined, to: undefined, at: undefined, ...range });
  };
  const name = TimeRange.label(search, zone);
  return (
    <DialogTrigger isOpen={open} onOpenChange={setOpen}>
      <Button aria-label={`Time range: ${name}, ${TimeZone.name(zone)}`}>
        {name} <span className="muted">{TimeZone.name(zone)}</span>
      </Button>
      <Popover className="popover" placement="bottom end">
        <Dialog className="range" aria-label="Time range">
          <div className="presets">
            {TimeRange.PRESET_NAMES.map((preset) => (
              <Button
                key={preset}
                look="quiet small"
                aria-pressed={
                  search.from === undefined && (search.last ?? TimeRange.DEFAULT_PRESET) === preset
                }
                onPress={() => choose({ last: preset })}
              >
                {TimeRange.PRESETS[preset]}
              </Button>
            ))}
          </div>
          <Absolute key={zone} search={search} zone={zone} onChange={choose} />
          <Checkbox
            className="check"
            isSelected={zone === "utc"}
            onChange={(utc) => onZone(utc ? "utc" : "local")}
          >
            <span className="box" aria-hidden="true">
              {zone === "utc" ? "✓" : ""}
            </span>
            Times in UTC
          </Checkbox>
        </Dialog>
      </Popover>
    </DialogTrigger>
  );
}

function Absolute({
  search,
  zone,
  onChange,
}: {
  search: TimeRange.RangeSearch;
  zone: TimeZone.Zone;
  onChange(range: TimeRange.RangeSearch): void;
}) {
  const [range] = useState(() => TimeRange.resolve(search, zone, Date.now()));
  const [from, setFrom] = useState(() => TimeZone.toInput(range.from, zone));
  const [to, setTo] = useState(() => TimeZone.toInput(range.to, zone));
  const start = TimeZone.fromInput(from, zone);
  const end = TimeZone.fromInput(to, zone);
  const wrong = start === null || end === null || start >= end;
  return (
    <form
      className="stack tight"
      onSubmit={(event) => {
        event.preventDefault();
        if (!wrong) onChange({ from: start, to: end });
      }}
    >
      <TextInput
        label={`From (${TimeZone.name(zone)})`}
        inputType="datetime-local"
        value={from}
        onChange={setFrom}
      />
      <TextInput
        label={`To (${TimeZone.name(zone)})`}
        inputType="datetime-local"
        value={to}
        onChange={setTo}
      />
      {wrong && <p className="field-error">“From” must be a time before “To”.</p>}
      <Button type="submit" look="primary" isDisabled={wrong}>
        Use this range
      </Button>
    </form>
  );
}
