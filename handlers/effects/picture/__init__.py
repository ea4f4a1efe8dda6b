"""Pictures in and out, exact: from any footage to float RGB and back into files."""
