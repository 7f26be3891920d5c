// Form fields with their label, hint and error.

import { ChevronDown } from "lucide-react";
import { DropdownMenu, Slider as RadixSlider, Switch as RadixSwitch, ToggleGroup } from "radix-ui";
import { type ComponentProps, type ReactNode, useId } from "react";

/** A line of text. */
export function TextField({
  label,
  hint,
  error,
  ...rest
}: ComponentProps<"input"> & { label: string; hint?: string; error?: string | undefined }) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        {...rest}
        id={id}
        className="input"
        aria-invalid={error !== undefined}
        aria-describedby={`${id}-note`}
      />
      <div id={`${id}-note`} aria-live="polite">
        {error ? (
          <p className="field-error">{error}</p>
        ) : (
          hint && <p className="field-hint">{hint}</p>
        )}
      </div>
    </div>
  );
}

/** A number between two bounds. `display` is what stands beside it and what is read out. */
export function Slider(props: {
  label: string;
  value: number;
  min: number;
  max: number;
  step: number;
  display: string;
  disabled?: boolean;
  onChange: (value: number) => void;
}) {
  return (
    <div className="field">
      <div className="slider-head">
        <span className="field-label" aria-hidden="true">
          {props.label}
        </span>
        <output>{props.display}</output>
      </div>
      <RadixSlider.Root
        className="slider"
        value={[props.value]}
        min={props.min}
        max={props.max}
        step={props.step}
        disabled={props.disabled ?? false}
        onValueChange={([value]) => value !== undefined && props.onChange(value)}
      >
        <RadixSlider.Track className="slider-track">
          <RadixSlider.Range className="slider-range" />
        </RadixSlider.Track>
        <RadixSlider.Thumb
          className="slider-thumb"
          aria-label={props.label}
          aria-valuetext={props.display}
        />
      </RadixSlider.Root>
    </div>
  );
}

/** On or off. */
export function Switch(props: {
  label: string;
  hint?: string;
  checked: boolean;
  disabled?: boolean;
  onChange: (checked: boolean) => void;
}) {
  const id = useId();
  return (
    <div className="switch-row">
      <div>
        <label className="field-label" htmlFor={id}>
          {props.label}
        </label>
        {props.hint && <p className="field-hint">{props.hint}</p>}
      </div>
      <RadixSwitch.Root
        id={id}
        className="switch"
        checked={props.checked}
        disabled={props.disabled ?? false}
        onCheckedChange={props.onChange}
      >
        <RadixSwitch.Thumb className="switch-thumb" />
      </RadixSwitch.Root>
    </div>
  );
}

/** One of many, in a menu. */
export function Select<T extends string>(props: {
  label: string;
  value: T;
  options: readonly { value: T; label: string }[];
  disabled?: boolean;
  onChange: (value: T) => void;
}) {
  const id = useId();
  const chosen = props.options.find((option) => option.value === props.value);
  return (
    <div className="field">
      <span className="field-label" id={id}>
        {props.label}
      </span>
      <DropdownMenu.Root>
        <DropdownMenu.Trigger
          className="select"
          aria-labelledby={`${id} ${id}-value`}
          disabled={props.disabled ?? false}
        >
          <span id={`${id}-value`}>{chosen?.label ?? "Choose"}</span>
          <ChevronDown size={16} aria-hidden="true" />
        </DropdownMenu.Trigger>
        <DropdownMenu.Portal>
          <DropdownMenu.Content className="menu" align="start" sideOffset={4}>
            <DropdownMenu.RadioGroup
              value={props.value}
              onValueChange={(value) => props.onChange(value as T)}
            >
              {props.options.map((option) => (
                <DropdownMenu.RadioItem
                  key={option.value}
                  className="menu-item"
                  value={option.value}
                >
                  {option.label}
                </DropdownMenu.RadioItem>
              ))}
            </DropdownMenu.RadioGroup>
          </DropdownMenu.Content>
        </DropdownMenu.Portal>
      </DropdownMenu.Root>
    </div>
  );
}

/** One of few, side by side. */
export function Choice<T extends string>(props: {
  label: string;
  value: T;
  options: readonly { value: T; label: ReactNode }[];
  onChange: (value: T) => void;
}) {
  const id = useId();
  return (
    <div className="field">
      <span className="field-label" id={id}>
        {props.label}
      </span>
      <ToggleGroup.Root
        type="single"
        className="choices"
        aria-labelledby={id}
        value={props.value}
        onValueChange={(value) => value && props.onChange(value as T)}
      >
        {props.options.map((option) => (
          <ToggleGroup.Item key={option.value} className="choice" value={option.value}>
            {option.label}
          </ToggleGroup.Item>
        ))}
      </ToggleGroup.Root>
    </div>
  );
}
