/** Which columns, how dense, how many rows: in the address too, so that a link shows the same view. */
import { Checkbox } from "react-aria-components/Checkbox";
import { CheckboxGroup } from "react-aria-components/CheckboxGroup";
import { Dialog, DialogTrigger } from "react-aria-components/Dialog";
import { Label } from "react-aria-components/Label";
import { Popover } from "react-aria-components/Popover";
import { Button } from "../control/button.tsx";
import { Choice } from "../control/field.tsx";
import { useMay } from "../me.ts";
import { COLUMN_NAMES, COLUMNS, type ColumnName, columnsOf, DEFAULT_COLUMNS } from "./column-name.ts";
import type { AuditState } from "./use-audit.ts";

export function ViewMenu({ audit: { search, arrange } }: { audit: AuditState }) {
  const previews = useMay("preview.read");
  const offered = COLUMN_NAMES.filter((name) => previews || !name.endsWith("Preview"));
  const setColumns = (chosen: string[]) => {
    const list = COLUMN_NAMES.filter((name) => name === "receivedAt" || chosen.includes(name));
    arrange({ columns: list.join() === DEFAULT_COLUMNS.join() ? undefined : list.join() });
  };
  return (
    <DialogTrigger>
      <Button>View</Button>
      <Popover className="popover" placement="bottom end">
        <Dialog className="view-menu" aria-label="View">
          <CheckboxGroup value={[...columnsOf(search.columns)]} onChange={setColumns}>
            <Label className="label">Columns</Label>
            <div className="column-choice">
              {offered.map((name: ColumnName) => (
                <Checkbox key={name} value={name} className="check" isDisabled={name === "receivedAt"}>
                  {({ isSelected }) => (
                    <>
                      <span className="box" aria-hidden="true">
                        {isSelected ? "✓" : ""}
                      </span>
                      {COLUMNS[name]}
                    </>
                  )}
                </Checkbox>
              ))}
            </div>
          </CheckboxGroup>
          <Choice
            label="Density"
            options={{ compact: "Compact", comfortable: "Comfortable" }}
            value={search.density ?? "compact"}
            onChange={(density) => arrange({ density: density === "comfortable" ? density : undefined })}
          />
          <Choice
            label="Rows a page"
            options={{ "25": "25", "50": "50", "100": "100", "200": "200" }}
            value={search.limit ?? "50"}
            onChange={(limit) =>
              arrange({ limit: limit === "50" || limit === null ? undefined : limit, cursor: undefined })
            }
          />
        </Dialog>
      </Popover>
    </DialogTrigger>
  );
}
