/**
 * A table of rows that the server ordered: real table elements, columns of fixed width (nothing moves when rows come),
 * one row a card on narrow screens. The roles are written out because `display` on narrow screens would take them away.
 */
import { type ColumnDef, columnVisibilityFeature, tableFeatures, useTable } from "@tanstack/react-table";
import { type CSSProperties, type ReactNode, useMemo } from "react";
import * as TimeZone from "../time-zone.ts";
import { useZone } from "../zone-context.tsx";

export interface Column<T> {
  id: string;
  header: string;
  cell(row: T): ReactNode;
  /** Characters, about; what is longer is cut and shown whole in the title. */
  width: number;
  numeric?: boolean;
  /** Its cells are times: the heading says their zone. */
  zoned?: boolean;
  /** Stays in sight when the table scrolls sideways: the actions of a row. */
  pinned?: boolean;
  /** Whole text of the cell, where it is cut. */
  title?(row: T): string | null;
  sort?: { direction: "descending" | null; onPress(): void };
}

const cellClass = (numeric?: boolean, pinned?: boolean) =>
  [numeric && "number", pinned && "pinned"].filter(Boolean).join(" ") || undefined;

const features = tableFeatures({ columnVisibilityFeature });

export function DataTable<T extends object>({
  label,
  columns,
  rows,
  rowId,
  visible,
  density = "compact",
  stale = false,
  onOpen,
  openId,
}: {
  /** What the table is, for screen readers. */
  label: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  rowId(row: T): string;
  visible?: readonly string[];
  density?: "compact" | "comfortable";
  /** The rows are those of the question before. */
  stale?: boolean;
  /** A press anywhere in a row; the row's own link stays the way for keyboards. */
  onOpen?(row: T): void;
  openId?: string | undefined;
}) {
  const definitions = useMemo(
    () => columns.map((column): ColumnDef<typeof features, T> => ({ id: column.id, header: column.header })),
    [columns],
  );
  const columnVisibility = useMemo(
    () => Object.fromEntries(columns.map(({ id }) => [id, visible?.includes(id) ?? true])),
    [columns, visible],
  );
  const data = useMemo(() => [...rows], [rows]);
  const table = useTable({
    features,
    columns: definitions,
    data,
    getRowId: rowId,
    state: { columnVisibility },
  });
  const zone = useZone();
  const shown = table
    .getVisibleLeafColumns()
    .flatMap(({ id }) => columns.filter((column) => column.id === id));
  const width = shown.reduce((sum, column) => sum + column.width, 0);
  return (
    // Can have the focus, so that keyboards can scroll it sideways.
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for forms, and a section would be one more landmark
    // biome-ignore lint/a11y/noNoninteractiveTabindex: see above
    <div className="table-scroll" role="group" aria-label={label} tabIndex={0}>
      {/* biome-ignore-start lint/a11y/noRedundantRoles: see above */}
      <table
        role="table"
        aria-label={label}
        className={`data-table ${density}`}
        aria-busy={stale}
        style={{ "--columns-width": `${width}ch` } as CSSProperties}
      >
        <colgroup>
          {shown.map(({ id, width }) => (
            <col key={id} style={{ width: `${width}ch` }} />
          ))}
        </colgroup>
        <thead role="rowgroup">
          <tr role="row">
            {shown.map(({ id, header, numeric, zoned, pinned, sort }) => (
              <th
                key={id}
                role="columnheader"
                scope="col"
                className={cellClass(numeric, pinned)}
                aria-sort={sort ? (sort.direction ?? "none") : undefined}
              >
                {sort ? (
                  <button type="button" className="sort" onClick={sort.onPress}>
                    {header}
                    <span aria-hidden="true">{sort.direction ? " ↓" : " ↕"}</span>
                  </button>
                ) : (
                  `${header}${zoned ? ` (${TimeZone.name(zone)})` : ""}`
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {table.getRowModel().rows.map((row) => (
            // The row's link is what keyboards use
            <tr
              key={row.id}
              role="row"
              className={onOpen ? "opens" : undefined}
              aria-current={row.id === openId ? "true" : undefined}
              onClick={(event) => {
                const target = event.target as Element;
                if (onOpen && !target.closest("a, button, label, input") && getSelection()?.isCollapsed) {
                  onOpen(row.original);
                }
              }}
            >
              {shown.map((column) => (
                <td
                  key={column.id}
                  role="cell"
                  data-label={column.header}
                  className={cellClass(column.numeric, column.pinned)}
                  title={column.title?.(row.original) ?? undefined}
                >
                  {column.cell(row.original)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {/* biome-ignore-end lint/a11y/noRedundantRoles: see above */}
    </div>
  );
}
