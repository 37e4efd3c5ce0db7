"""The five places, one folder each: Prompts, Playground, Traces, Costs, Settings."""
