"""What every app shares and none owns: errors, API conventions, template parts. No tables."""
