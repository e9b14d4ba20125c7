/** Labelled inputs: text, a choice of few, a choice of many that may also be typed. */

import { useEffect, useState } from "react";
import { Button, FieldError, Input, Label, Text, TextArea } from "react-aria-components";
import { ComboBox, type ComboBoxProps } from "react-aria-components/ComboBox";
import { ListBox, ListBoxItem } from "react-aria-components/ListBox";
import { Popover } from "react-aria-components/Popover";
import { Select, SelectValue } from "react-aria-components/Select";
import { TextField, type TextFieldProps } from "react-aria-components/TextField";

interface Labelled {
  label: string;
  description?: string;
}

interface TextInputProps extends Omit<TextFieldProps, "children" | "className">, Labelled {
  placeholder?: string;
  /** More than one line. */
  rows?: number;
  inputType?: "text" | "datetime-local";
  /** What is wrong, in words; shown while `isInvalid`. */
  problem?: string | null;
}

export function TextInput({
  label,
  description,
  placeholder,
  rows,
  inputType,
  problem,
  ...props
}: TextInputProps) {
  return (
    <TextField {...props} className="field">
      <Label>{label}</Label>
      {rows ? (
        <TextArea className="input" rows={rows} placeholder={placeholder} />
      ) : (
        <Input
          className="input"
          placeholder={placeholder}
          type={inputType ?? "text"}
          step={inputType === "datetime-local" ? 1 : undefined}
        />
      )}
      {description && <Text slot="description">{description}</Text>}
      <FieldError className="field-error">{problem}</FieldError>
    </TextField>
  );
}

/** A text that counts once it is finished: on Enter, or when the field is left. */
export function CommittedInput({
  value,
  onCommit,
  ...props
}: Omit<TextInputProps, "onChange" | "value"> & { value: string; onCommit(value: string): void }) {
  const [draft, setDraft] = useState(value);
  useEffect(() => setDraft(value), [value]);
  const commit = () => {
    if (draft.trim() !== value) onCommit(draft.trim());
  };
  return (
    <TextInput
      {...props}
      value={draft}
      onChange={setDraft}
      onBlur={commit}
      onKeyDown={(event) => {
        if (event.key === "Enter") commit();
      }}
    />
  );
}

const ANY = "*";

/** One of few; `null` stands for any, which is offered when `any` names it. */
export function Choice<V extends string>({
  label,
  options,
  value,
  any,
  onChange,
}: Labelled & {
  options: Record<V, string>;
  value: V | null;
  any?: string;
  onChange(value: V | null): void;
}) {
  const items = [...(any ? [[ANY, any]] : []), ...Object.entries<string>(options)] as [string, string][];
  return (
    <Select
      className="field"
      value={value ?? ANY}
      onChange={(key) => onChange(key === ANY || key === null ? null : (key as V))}
    >
      <Label className="label">{label}</Label>
      <Button className="input select-button">
        <SelectValue />
      </Button>
      <Popover className="popover">
        <ListBox className="list">
          {items.map(([key, text]) => (
            <ListBoxItem key={key} id={key} className="option" textValue={text}>
              {text}
            </ListBoxItem>
          ))}
        </ListBox>
      </Popover>
    </Select>
  );
}

export interface Suggestion {
  value: string;
  note?: string;
}

/** One of many, offered as they are typed; any other text counts too. */
export function Suggested({
  label,
  suggestions,
  value,
  onCommit,
  onTyped,
  placeholder,
  ...props
}: Labelled & {
  suggestions: Suggestion[];
  value: string;
  placeholder?: string;
  onCommit(value: string): void;
  /** What stands in the field so far. */
  onTyped?(text: string): void;
} & Pick<ComboBoxProps<Suggestion>, "isInvalid">) {
  const [draft, setDraft] = useState(value);
  useEffect(() => setDraft(value), [value]);
  const commit = (text: string) => {
    if (text.trim() !== value) onCommit(text.trim());
  };
  return (
    <ComboBox
      {...props}
      className="field"
      allowsCustomValue
      menuTrigger="focus"
      inputValue={draft}
      onInputChange={(text) => {
        setDraft(text);
        onTyped?.(text);
      }}
      onBlur={() => commit(draft)}
      onChange={(key) => {
        if (key === null) return;
        setDraft(String(key));
        commit(String(key));
      }}
      onKeyDown={(event) => {
        if (event.key === "Enter") commit(event.currentTarget.querySelector("input")?.value ?? draft);
      }}
    >
      <Label>{label}</Label>
      <Input className="input" placeholder={placeholder} />
      <Popover className="popover">
        <ListBox className="list" items={suggestions}>
          {(item) => (
            <ListBoxItem id={item.value} className="option" textValue={item.value}>
              <span className="grow">{item.value}</span>
              {item.note && <span className="muted">{item.note}</span>}
            </ListBoxItem>
          )}
        </ListBox>
      </Popover>
    </ComboBox>
  );
}
